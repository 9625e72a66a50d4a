"""The application on what was restored: started beside the throw-away server, asked until it is well or its time is over, and ended."""

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from strongroom.api.drills import DrillApplication
from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.fields import parse_duration
from strongroom.api.restoring import CheckResult
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.drillapplications import (
    application_container,
    role_of,
    start_application_container,
)
from strongroom.engine.drillcontainers import DrillContainer, end_drill_container, runs
from strongroom.engine.ending import build_marker
from strongroom.engine.execs import run_command
from strongroom.engine.loopback import fetch_inside
from strongroom.sources.postgres.restoring.quoting import identifier, literal
from strongroom.sources.postgres.throwaway.servers import ThrowAway, could_not

CHECK = "application"
_PAUSE_SECONDS = 0.5
_FETCH_SECONDS = 10.0
_WAITED_FOR = {Reason.ContainerNotFound, Reason.HookFailed, Reason.DumpIncomplete}
_OWNER = "select pg_catalog.pg_get_userbyid(datdba) from pg_catalog.pg_database where datname = {name}"
_KNOWN = "select 1 from pg_catalog.pg_roles where rolname = {name}"


def check_application(engine: Engine, application: DrillApplication, server: ThrowAway) -> CheckResult:
    """What it answered. ImageMissing, InvalidSpec and DrillCouldNotRun where it cannot be started; EngineUnreachable."""
    if server.container is None:
        raise ValueError("an application is started beside a container alone")
    _let_in(application, server)
    with _running(engine, application, server.container) as trial:
        return trial.check()


def _let_in(application: DrillApplication, server: ThrowAway) -> None:
    """Its role may log in; one of ours acts as the database's owner, so that what it makes is his."""
    name = role_of(application)
    role = identifier(name)
    with server.reach.open_entry() as session:
        if application.user is None:
            owner = identifier(
                str(session.rows(_OWNER.format(name=literal(application.database or "")))[0][0])
            )
            session.run(f"CREATE ROLE {role} LOGIN IN ROLE {owner}")
            session.run(f"ALTER ROLE {role} SET role TO {owner}")
        elif not session.rows(_KNOWN.format(name=literal(name))):
            words = f'spec.drill.application.user: the backup has no role "{name}"'
            raise StrongroomError(Reason.InvalidSpec, words)
        else:
            session.run(f"ALTER ROLE {role} LOGIN")


@contextmanager
def _running(engine: Engine, application: DrillApplication, server: DrillContainer) -> Iterator["_Trial"]:
    wanted = application_container(server, application)
    try:
        try:
            made = start_application_container(engine, wanted)
        except StrongroomError as error:
            if error.reason is not Reason.EngineUnreachable:
                raise
            words = f"spec.drill.application: image {wanted.image} cannot be started: {error.message}"
            raise could_not(words) from error
        beside = Container(id=server.name, name=server.name, image=server.image, state="running")
        yield _Trial(engine, application, made, beside, build_marker(server.run_uid))
    finally:
        end_drill_container(engine, wanted.name)


@dataclass(frozen=True)
class _Tried:
    passed: bool
    found: str


@dataclass(frozen=True)
class _Trial:
    """An application that was started. `server`: the container whose loopback it has, and whose programs ask it."""

    engine: Engine
    application: DrillApplication
    container: Container
    server: Container
    marker: str

    def check(self) -> CheckResult:
        """Until it is well, has ended, or its time is over."""
        end = time.monotonic() + parse_duration(self.application.timeout).total_seconds()
        while True:
            tried = self._try(max(1.0, end - time.monotonic()))
            has_ended = not tried.passed and not runs(self.engine, self.container.name)
            if tried.passed or has_ended or time.monotonic() + _PAUSE_SECONDS > end:
                found = f"it has ended by itself; {tried.found}" if has_ended else tried.found
                return CheckResult(
                    name=CHECK, passed=tried.passed, expected=self._expected, found=found[:256]
                )
            time.sleep(_PAUSE_SECONDS)

    @property
    def _expected(self) -> str:
        application = self.application
        if application.port is None:
            return "exit code 0"
        text = f" with {application.expect_text!r}" if application.expect_text is not None else ""
        return f"status {application.expect_status}{text}"[:256]

    def _try(self, seconds: float) -> _Tried:
        try:
            return self._ask(seconds) if self.application.port is not None else self._run(seconds)
        except (OSError, http.client.HTTPException) as error:
            return _Tried(passed=False, found=excerpt(f"no answer: {error}"))
        except StrongroomError as error:
            if error.reason not in _WAITED_FOR:
                raise
            return _Tried(passed=False, found=excerpt(error.message))

    def _ask(self, seconds: float) -> _Tried:
        application = self.application
        answer = fetch_inside(
            self.engine,
            self.server,
            application.port or 0,
            application.path,
            marker=self.marker,
            seconds=min(seconds, _FETCH_SECONDS),
        )
        text = application.expect_text
        if answer.status != application.expect_status:
            return _Tried(passed=False, found=f"status {answer.status}")
        if text is not None and text.encode() not in answer.body:
            return _Tried(passed=False, found=f"status {answer.status} without that text")
        return _Tried(passed=True, found=f"status {answer.status}")

    def _run(self, seconds: float) -> _Tried:
        finished = run_command(
            self.engine,
            self.container,
            self.application.exec or [],
            marker=self.marker,
            timeout_seconds=seconds,
        )
        return _Tried(passed=finished.exit_code == 0, found=f"exit code {finished.exit_code}")
