"""Hooks around the reading: commands before, services stopped and paused; and all of it undone, whatever the reading comes to."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from strongroom.api.containers import ContainerSelector
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import parse_duration
from strongroom.api.hooks import HookCommand, Hooks
from strongroom.engine.commands import run_hook
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container, match_containers
from strongroom.engine.dependencies import order_for_stopping
from strongroom.engine.ending import build_marker
from strongroom.engine.journal import CommandReference, Entry, Journal, Phase, Taken
from strongroom.engine.services import STILL, Look, look_at, pause_container, stop_container
from strongroom.engine.undoing import SETTLE_SECONDS, Debts, settle_seconds, undo_all
from strongroom.worker.task import Task

log = logging.getLogger(__name__)


@contextmanager
def hooked(task: Task, hooks: Hooks | None, source: str | None = None) -> Iterator[None]:
    """Read inside: services are stopped then, and run again when this is left.

    Undoing is never interrupted; what it does not achieve stays in the journal, for the agent. Raises HookFailed and
    EngineUnreachable, and for services that are not there ContainerNotFound.
    """
    if hooks is None:
        yield
        return
    hooking = _Hooking(task, hooks, source)
    try:
        task.progress.enter("Hooks", source)
        hooking.begin()
        yield
    except BaseException:
        with task.ending.uninterrupted():
            task.progress.enter("Hooks", source)
            hooking.undo_quietly()
        raise
    with task.ending.uninterrupted():
        task.progress.enter("Hooks", source)
        hooking.finish()


class _Hooking:
    """The hooks of one source, or of the whole order."""

    def __init__(self, task: Task, hooks: Hooks, source: str | None) -> None:
        if task.journal is None:
            raise StrongroomError(
                Reason.InvalidOrder,
                "hooks need a place for their journal (--journal): without it nothing is stopped",
            )
        self._hooks = hooks
        self._source = source
        self._engine: Engine = task.engine()
        self._journal = Journal(task.journal)
        self._first = self._journal.next_number
        self._debts = Debts({source: hooks}, build_marker(task.order.run_uid))

    def begin(self) -> None:
        """Owe what comes afterwards, run what comes before, stop and pause."""
        self._owe("after", self._hooks.after)
        self._owe("on_failure", self._hooks.on_failure)
        for index, command in enumerate(self._hooks.before):
            run_hook(self._engine, command, self._field(f"before[{index}]"), marker=self._debts.marker)
        stop = order_for_stopping(self._matched(self._hooks.stop, "stop"))
        pause = [each for each in self._matched(self._hooks.pause, "pause") if each not in stop]
        # All of them first: whatever dies from here on, what ran is known.
        entries = [self._record(each, "Stop") for each in stop]
        entries += [self._record(each, "Pause") for each in pause]
        for entry in entries:
            self._take(entry)

    def finish(self) -> None:
        """After a reading that succeeded. It did not, if a service ran meanwhile."""
        try:
            self._refuse_intruders()
            for entry in self._own_entries():
                if entry.command is not None and entry.command.phase == "on_failure":
                    self._journal.remove(entry)
        except StrongroomError:
            self.undo_quietly()
            raise
        undo_all(self._engine, self._journal, self._debts, first=self._first)

    def undo_quietly(self) -> None:
        """After a reading that failed: its error is the one to tell."""
        try:
            undo_all(self._engine, self._journal, self._debts, first=self._first)
        except StrongroomError as error:
            log.error("hooks are not undone: %s", error.message)  # noqa: TRY400  the text says it all

    def _owe(self, phase: Phase, commands: Sequence[HookCommand]) -> None:
        """Written backwards: entries are undone from the last to the first."""
        for index in reversed(range(len(commands))):
            self._journal.owe(CommandReference(source=self._source, phase=phase, index=index))

    def _matched(self, selectors: Sequence[ContainerSelector], field: str) -> list[Container]:
        """All containers of the services, each once, in the order given."""
        found: dict[str, Container] = {}
        for index, selector in enumerate(selectors):
            matched = match_containers(self._engine, selector)
            if not matched:
                where = self._field(f"{field}[{index}]")
                raise StrongroomError(
                    Reason.ContainerNotFound, f"{where}: {selector}: there is none on this host"
                )
            found.update({container.id: container for container in matched})
        return list(found.values())

    def _record(self, container: Container, action: Literal["Stop", "Pause"]) -> Entry:
        found = look_at(self._engine, container.id)
        if found is None:
            raise StrongroomError(Reason.HookFailed, f"{container} was removed while hooks were begun")
        taken = Taken(
            action=action,
            container=found.id,
            name=container.name,
            state=found.state,
            started_at=found.started_at,
            settle_seconds=settle_seconds(self._hooks) if action == "Stop" else SETTLE_SECONDS,
        )
        return self._journal.record(taken)

    def _take(self, entry: Entry) -> None:
        """Stop or pause it, if it was running."""
        taken = entry.taken
        if taken is None or taken.state != "running":
            return
        entry = self._journal.ask(entry)
        if taken.action == "Stop":
            stop_container(self._engine, taken.container, taken.name, self._stop_seconds)
        else:
            pause_container(self._engine, taken.container, taken.name)
        self._journal.confirm(entry)

    @property
    def _stop_seconds(self) -> int:
        return math.ceil(parse_duration(self._hooks.stop_timeout).total_seconds())

    def _refuse_intruders(self) -> None:
        """Raise HookFailed if a service came to life meanwhile: it may have written into what was read."""
        for entry in self._own_entries():
            if entry.taken is None:
                continue
            found = look_at(self._engine, entry.taken.container)
            if found is None or not _stood_still(found, entry.taken):
                now = "gone" if found is None else found.state
                raise StrongroomError(
                    Reason.HookFailed,
                    f"container {entry.taken.name} was to stand still while it was read, and is {now}: someone else "
                    "started or removed it, or the Engine was restarted",
                )

    def _own_entries(self) -> list[Entry]:
        return [entry for entry in self._journal.entries() if entry.number >= self._first]

    def _field(self, name: str) -> str:
        return f"source {self._source}: hooks.{name}" if self._source else f"hooks.{name}"


def _stood_still(found: Look, taken: Taken) -> bool:
    """Whether it is as we left it, and was not started in between."""
    wanted = {"paused"} if taken.action == "Pause" and taken.state == "running" else STILL
    return found.state in wanted and found.started_at == taken.started_at
