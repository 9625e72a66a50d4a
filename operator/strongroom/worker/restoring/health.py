"""Is the application well on what was restored? A URL or a command, tried again until it succeeds or its time is over."""

import http.client
import time
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.fields import parse_duration
from strongroom.api.healthchecks import HealthCheck
from strongroom.api.restoring import CheckResult
from strongroom.engine.containers import find_container
from strongroom.engine.ending import build_marker
from strongroom.engine.execs import run_command
from strongroom.worker.restoring.urls import fetch_url
from strongroom.worker.task import Task

_PAUSE_SECONDS = 1.0
_FETCH_SECONDS = 10.0
_WAITED_FOR = {Reason.ContainerNotFound, Reason.HookFailed, Reason.DumpIncomplete}
"""A container that is about to start, or a command that does not succeed yet."""


@dataclass(frozen=True)
class _Tried:
    passed: bool
    found: str


def check_health(task: Task, check: HealthCheck) -> CheckResult:
    """How it ended. Raises UrlForbidden, and EngineUnreachable for a command."""
    end = time.monotonic() + parse_duration(check.timeout).total_seconds()
    while True:
        left = max(1.0, end - time.monotonic())
        tried = _try_url(task, check, left) if check.url is not None else _try_command(task, check, left)
        if tried.passed or time.monotonic() + _PAUSE_SECONDS > end:
            return CheckResult(
                name="health check", passed=tried.passed, expected=_expected(check), found=tried.found[:256]
            )
        time.sleep(_PAUSE_SECONDS)


def _expected(check: HealthCheck) -> str:
    if check.url is None:
        return "exit code 0"
    text = f" with {check.expect_text!r}" if check.expect_text is not None else ""
    return f"status {check.expect_status}{text}"[:256]


def _try_url(task: Task, check: HealthCheck, seconds: float) -> _Tried:
    try:
        answer = fetch_url(check.url or "", task.reach, min(seconds, _FETCH_SECONDS))
    except (OSError, http.client.HTTPException) as error:
        return _Tried(passed=False, found=excerpt(f"no answer: {type(error).__name__}: {error}"))
    if answer.status != check.expect_status:
        return _Tried(passed=False, found=f"status {answer.status}")
    if check.expect_text is not None and check.expect_text.encode() not in answer.body:
        return _Tried(passed=False, found=f"status {answer.status} without that text")
    return _Tried(passed=True, found=f"status {answer.status}")


def _try_command(task: Task, check: HealthCheck, seconds: float) -> _Tried:
    command = check.exec
    assert command is not None  # noqa: S101 - a check has a URL or a command
    limit = min(seconds, parse_duration(command.timeout).total_seconds())
    try:
        engine = task.engine()
        container = find_container(engine, command.container, "healthCheck.exec.container")
        marker = build_marker(task.order.run_uid)
        finished = run_command(
            engine, container, command.command, user=command.user, timeout_seconds=limit, marker=marker
        )
    except StrongroomError as error:
        if error.reason not in _WAITED_FOR:
            raise
        return _Tried(passed=False, found=excerpt(error.message))
    return _Tried(passed=finished.exit_code == 0, found=f"exit code {finished.exit_code}")
