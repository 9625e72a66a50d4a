"""Services around the exchange: exactly those that ran are started again, whatever is killed at whatever step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.api.containers import ContainerSelector
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import parse_duration
from strongroom.api.hooks import Hooks
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container, match_containers
from strongroom.engine.dependencies import order_for_stopping
from strongroom.engine.ending import build_marker
from strongroom.engine.journal import Journal, Taken
from strongroom.engine.services import look_at, stop_container
from strongroom.engine.undoing import RUNNING, Debts, settle_seconds, undo_all
from strongroom.worker.restoring.notes import Notebook, Ran
from strongroom.worker.task import Task


@dataclass(frozen=True)
class Services:
    """What the order stops. Nothing is done where it stops nothing."""

    task: Task
    hooks: Hooks | None
    notebook: Notebook

    @property
    def stops(self) -> bool:
        """Whether it stops anything at all."""
        return self.hooks is not None

    def find(self) -> list[str]:
        """Names of those that run now. Raises ContainerNotFound for a service that is not there at all."""
        return [each.name for each in self._matched() if each.state in RUNNING]

    def stop(self) -> None:
        """Write down what runs, then stop it; called again, stop what runs of it. Raises HookFailed, EngineUnreachable."""
        if self.hooks is None:
            return
        ran = self.notebook.note.ran
        if ran is None:
            ran = self._remember()
        engine, journal = self.task.engine(), self._journal
        known = {entry.taken.container for entry in journal.entries() if entry.taken is not None}
        for each in ran:
            if each.id not in known:
                self._record(engine, journal, each)
        # The newest entry is undone first: what was recorded first is stopped first.
        for entry in sorted(journal.entries(), key=lambda entry: entry.number):
            taken = entry.taken
            found = None if taken is None else look_at(engine, taken.container)
            if taken is not None and found is not None and found.state in RUNNING:
                asked = journal.ask(entry)
                stop_container(engine, taken.container, taken.name, self._stop_seconds)
                journal.confirm(asked)

    def start(self) -> None:
        """Start all that was stopped, by this worker or an earlier one. Raises HookFailed for one that does not start."""
        if self.hooks is None:
            return
        debts = Debts({None: self.hooks}, build_marker(self.task.order.run_uid))
        undo_all(self.task.engine(), self._journal, debts)

    def _remember(self) -> list[Ran]:
        """Those that run, in the order in which they are to be stopped, and those that an earlier worker has stopped."""
        owed = {
            entry.taken.container
            for entry in self._journal.entries()
            if entry.taken is not None and entry.taken.state in RUNNING
        }
        found = [
            each for each in order_for_stopping(self._matched()) if each.state in RUNNING or each.id in owed
        ]
        ran = [Ran(id=each.id, name=each.name) for each in found]
        self.notebook.write(ran=ran)
        return ran

    def _record(self, engine: Engine, journal: Journal, ran: Ran) -> None:
        """It ran once, so it is to run in the end, also if it has crashed since."""
        found = look_at(engine, ran.id)
        if found is not None and self.hooks is not None:
            taken = Taken(
                action="Stop",
                container=found.id,
                name=found.name,
                state="running",
                started_at=found.started_at,
                settle_seconds=settle_seconds(self.hooks),
            )
            journal.record(taken)

    def _matched(self) -> list[Container]:
        """All containers of the services, each once, in the order given."""
        found: dict[str, Container] = {}
        selectors: Sequence[ContainerSelector] = () if self.hooks is None else self.hooks.stop
        for index, selector in enumerate(selectors):
            matched = match_containers(self.task.engine(), selector)
            if not matched:
                words = f"spec.stopServices[{index}]: {selector}: there is none on this host"
                raise StrongroomError(Reason.ContainerNotFound, words)
            found.update({each.id: each for each in matched})
        return list(found.values())

    @property
    def _journal(self) -> Journal:
        if self.task.journal is None:
            raise StrongroomError(
                Reason.InvalidOrder,
                "hooks need a place for their journal (--journal): without it nothing is stopped",
            )
        return Journal(self.task.journal)

    @property
    def _stop_seconds(self) -> int:
        assert self.hooks is not None  # noqa: S101 - who stops has them
        return math.ceil(parse_duration(self.hooks.stop_timeout).total_seconds())
