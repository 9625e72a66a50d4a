"""What a journal holds is undone: services run again that ran before, and commands that are owed are run.

Idempotent: cut short at any point, the next call goes on. A command may therefore run twice.
"""

import itertools
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import parse_duration
from strongroom.api.hooks import HookCommand, Hooks
from strongroom.engine.commands import run_hook
from strongroom.engine.connecting import Engine
from strongroom.engine.dependencies import POLL_SECONDS, await_dependencies, await_healthy, needed_services
from strongroom.engine.journal import CommandReference, Entry, Journal, Taken
from strongroom.engine.services import STOPPED, Look, look_at, start_container, unpause_container

SETTLE_SECONDS = 10.0
"""How long the Engine may take beyond the service's own time to stop or pause it, once it was asked."""
RUNNING = frozenset({"running", "restarting"})

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Debts:
    """What an order says about the commands that its journal owes. `marker` names the run on every program started."""

    hooks: Mapping[str | None, Hooks]
    marker: str
    containers: frozenset[str] | None = None
    """Ids of all that may be started, for a journal whose writer is not trusted; None: whatever the journal names."""
    settle_seconds: float = math.inf
    """Whatever the journal says, the Engine is at no container for longer after it was asked."""

    def command(self, reference: CommandReference) -> tuple[HookCommand, str] | None:
        """The command and its place, or None when the order has none there."""
        hooks = self.hooks.get(reference.source)
        commands = [] if hooks is None else hooks.after if reference.phase == "after" else hooks.on_failure
        if reference.index >= len(commands):
            return None
        return commands[reference.index], describe_place(reference)


def describe_place(reference: CommandReference) -> str:
    """The command's field in the policy."""
    source = f"source {reference.source}: " if reference.source else ""
    field = "after" if reference.phase == "after" else "onFailure"
    return f"{source}hooks.{field}[{reference.index}]"


def settle_seconds(hooks: Hooks) -> float:
    """How long the Engine may take to stop a service of these hooks, once it was asked."""
    return SETTLE_SECONDS + math.ceil(parse_duration(hooks.stop_timeout).total_seconds())


def undo_all(engine: Engine, journal: Journal, debts: Debts, *, first: int = 1) -> None:
    """Undo every entry from number `first` on, the newest first, and remove each when it is done; blocks.

    Raises EngineUnreachable at once; what is left stays in the journal. Raises HookFailed at the end for a service that does
    not start (its entry stays) and for a command that failed (it has been run, and is not owed any more).
    """
    owed = [entry for entry in journal.entries() if entry.number >= first]
    failures: list[StrongroomError] = []
    for is_command, entries in itertools.groupby(owed, key=lambda entry: entry.command is not None):
        act = _run_owed if is_command else _put_all_back
        failures += act(engine, journal, list(entries), debts)
    if failures:
        raise StrongroomError(Reason.HookFailed, "; ".join(error.message for error in failures))


def _run_owed(
    engine: Engine, journal: Journal, entries: Sequence[Entry], debts: Debts
) -> list[StrongroomError]:
    """Run the commands; those that failed. None of them is owed any more."""
    failures = []
    for entry in entries:
        found = None if entry.command is None else debts.command(entry.command)
        try:
            if found is not None:
                run_hook(engine, *found, marker=debts.marker)
        except StrongroomError as error:
            if error.reason is Reason.EngineUnreachable:
                raise
            failures.append(error)
        journal.remove(entry)
    return failures


def _put_all_back(
    engine: Engine, journal: Journal, entries: Sequence[Entry], debts: Debts
) -> list[StrongroomError]:
    """Make run what ran; why some do not.

    None is forgotten before all were tried: an Engine that goes away meanwhile takes along those that were started already.
    """
    failures, started, running = [], None, []
    begun = datetime.now(UTC)
    for entry in entries:
        try:
            if entry.taken is not None and entry.taken.state == "running":
                found = _settled(engine, entry.taken, debts.settle_seconds, begun)
                started = _put_back(engine, entry.taken, _permitted(found, debts), started) or started
        except StrongroomError as error:
            if error.reason is Reason.EngineUnreachable:
                raise
            failures.append(error)
        else:
            running.append(entry)
    for entry in running:
        journal.remove(entry)
    return failures


def _permitted(found: Look | None, debts: Debts) -> Look | None:
    """The container; None for one that the journal must not name."""
    if found is None or debts.containers is None or found.id in debts.containers:
        return found
    log.error("container %s is none that this order stops or pauses: it is left as it is", found.name)
    return None


def _put_back(engine: Engine, taken: Taken, found: Look | None, started: Look | None) -> Look | None:
    """Make it run; the container if it had to be started. `started` is the one started before."""
    try:
        if found is None:
            log.warning("container %s is gone (removed or made anew): nothing to put back", taken.name)
        elif found.state == "paused" and taken.action == "Pause":
            unpause_container(engine, found.id, taken.name)
        elif found.state in STOPPED:
            _await_what_it_needs(engine, found, started)
            start_container(engine, found.id, taken.name)
            return found
    except StrongroomError as error:
        if error.reason is Reason.HookFailed and _is_put_back(look_at(engine, taken.container)):
            return None
        raise
    return None


def _is_put_back(found: Look | None) -> bool:
    """Whether someone else has done it, or removed the container, while we tried."""
    return found is None or found.state in RUNNING


def _await_what_it_needs(engine: Engine, container: Look, started: Look | None) -> None:
    """What compose knows of, or else the one started before: the given order stands for the dependency then."""
    if needed_services(container.labels):
        await_dependencies(engine, container.labels)
    elif started is not None:
        await_healthy(engine, started.id, started.name)


def _settled(engine: Engine, taken: Taken, most_seconds: float, begun: datetime) -> Look | None:
    """The container once the Engine can no longer be at what was asked of it.

    Whoever asked may have been killed meanwhile, and the Engine stops the container all the same, after we have looked.
    It was asked before undoing was `begun`, whatever a clock or a forged entry says: all are waited for at the same time.
    """
    found = look_at(engine, taken.container)
    if taken.asked_at is None or taken.done:
        return found
    elapsed = (datetime.now(UTC) - min(taken.asked_at, begun)).total_seconds()
    end = time.monotonic() + min(taken.settle_seconds, most_seconds) - elapsed
    while _is_as_before(found, taken) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        found = look_at(engine, taken.container)
    return found


def _is_as_before(found: Look | None, taken: Taken) -> bool:
    return found is not None and found.state == taken.state and found.started_at == taken.started_at
