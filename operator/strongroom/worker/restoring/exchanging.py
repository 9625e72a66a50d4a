"""The exchange: services stopped, all items swapped, services started, health checked; and the way back from each of these."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoreorder import RestoreOrder
from strongroom.api.restoring import Replaced
from strongroom.sources.restoration import State
from strongroom.worker.ending import EndedError
from strongroom.worker.restoring.health import check_health
from strongroom.worker.restoring.items import Item
from strongroom.worker.restoring.notes import Notebook
from strongroom.worker.restoring.outcomes import Gathered
from strongroom.worker.restoring.services import Services
from strongroom.worker.restoring.steps import Steps
from strongroom.worker.restoring.workloads import Workloads
from strongroom.worker.task import Task

log = logging.getLogger(__name__)

_LISTED = 4
_EXCHANGED = {State.Swapped, State.Swapping}


@dataclass(frozen=True)
class Exchange:
    """All items together."""

    task: Task
    order: RestoreOrder
    items: Sequence[Item]
    steps: Steps
    gathered: Gathered
    services: Services | Workloads
    notebook: Notebook

    def carry_out(self) -> None:
        """The new takes the old one's place. Whatever fails on the way is raised once the old is back."""
        try:
            self._go()
        except BaseException as error:
            with self.task.ending.uninterrupted():
                self._fail(error)
            raise
        with self.task.ending.uninterrupted():
            self.gathered.is_healthy = True
            if self._note_success():
                self.clear_up()

    def _note_success(self) -> bool:
        """Before anything is removed that a next worker would look for; False where nobody takes the note: all of it stays then."""
        try:
            self.notebook.write(phase="Done")
        except StrongroomError as error:
            log.warning(
                "the success cannot be written down, and what was replaced is kept: %s", error.message
            )
            self.gathered.replaced = [found for item in self.items if (found := _replaced(item)) is not None]
            return False
        return True

    def _go(self) -> None:
        self._refuse_unforeseen()
        all_swapped = all(item.restoration.find_state() is State.Swapped for item in self.items)
        if not all_swapped and self.services.stops:
            with self.steps.step("StopServices"), self.task.ending.uninterrupted():
                self.services.stop()
        for item in self.items:
            with (
                self.steps.step("Swap", item.source, item.file.artifact.database),
                self.task.ending.uninterrupted(),
            ):
                self._swap(item)
        if self.services.stops:
            with self.steps.step("StartServices"), self.task.ending.uninterrupted():
                self.services.start()
        if self.order.health_check is not None:
            with self.steps.step("HealthCheck"):
                self._check()

    def _refuse_unforeseen(self) -> None:
        """Before a service is stopped: whatever has come since the plan keeps all of it from being exchanged."""
        for item in self.items:
            if item.name not in self.notebook.note.overwritten:
                item.restoration.refuse_unforeseen()

    def _swap(self, item: Item) -> None:
        if item.goes_over:
            self._overwrite(item)
            return
        replaced = item.restoration.swap()
        if replaced is not None:
            self.gathered.replaced.append(replaced)

    def _overwrite(self, item: Item) -> None:
        """That is written down before: whoever comes after a kill must not say that the old is back."""
        before = self.notebook.note.overwritten
        self.notebook.write(overwritten=list(dict.fromkeys([*before, item.name])))
        try:
            item.restoration.swap()
        except StrongroomError:
            if self.order.strategy == "Clean":  # one transaction: it has not happened
                self.notebook.write(overwritten=before)
            raise
        self.gathered.compare(item.restoration.compare(), item.name)

    def _check(self) -> None:
        assert self.order.health_check is not None  # noqa: S101 - asked before
        result = check_health(self.task, self.order.health_check)
        self.gathered.add(result)
        if not result.passed:
            raise StrongroomError(
                Reason.HealthCheckFailed,
                f"expected {result.expected}, found {result.found} for {self.order.health_check.timeout}",
            )

    def _fail(self, error: BaseException) -> None:
        """Why is written down first: the next worker ends what this one may not."""
        failure = _failure_of(error)
        try:
            self.notebook.write(phase="RollingBack", reason=failure.reason.name, message=failure.message)
        except (OSError, StrongroomError) as trouble:  # a full disk must not keep the old away
            log.error("that it is put back cannot be written down: %s", trouble)  # noqa: TRY400
        self.put_back()
        if (lost := self.lost) is not None:
            raise StrongroomError(failure.reason, f"{failure.message}; {lost}") from error

    @property
    def lost(self) -> str | None:
        """What this attempt or an earlier one has restored over, and the way back; None where the old stands."""
        if not self.notebook.note.overwritten:
            return None
        run, names = self.order.safety_run, _list_some(self.notebook.note.overwritten)
        if run is None:
            return f"{names}: the old state is gone, and no safety backup was made"
        return f"{names}: the old state is gone: restore the safety backup, BackupRun {run}"

    def put_back_if_begun(self) -> None:
        """After a failure of an attempt that found an earlier one's exchange."""
        if any(item.restoration.find_state() in _EXCHANGED for item in self.items):
            self.put_back()

    def put_back(self) -> None:
        """The old has its place again, in reverse order, and services run. Raises RollBackFailed with what stands where."""
        try:
            swapped = [item for item in self.items if item.restoration.find_state() in _EXCHANGED]
            if swapped:
                with self.steps.step("RollBack"):
                    self._put_back(swapped)
                self.gathered.replaced.clear()
                self.gathered.rolled_back = self.lost is None
                self.steps.roll_back("Swap")
        except StrongroomError as error:
            self._start_quietly()
            raise StrongroomError(Reason.RollBackFailed, self._standing(error)) from error
        self._start()
        self.discard_quietly()
        try:
            self.notebook.write(phase="Going", reason=None, message=None, ran=None)
        except StrongroomError as error:
            log.warning("that the old is back cannot be written down: %s", error.message)

    def _put_back(self, swapped: Sequence[Item]) -> None:
        self.services.stop()
        for item in reversed(swapped):
            item.restoration.swap_back()

    def _start(self) -> None:
        try:
            self.services.start()
        except StrongroomError as error:
            words = f"the old state is back, and services do not start: {error.message}"
            raise StrongroomError(Reason.RollBackFailed, words) from error

    def _start_quietly(self) -> None:
        try:
            self.services.start()
        except StrongroomError as error:
            log.error("services do not start: %s", error.message)  # noqa: TRY400 - the text says it all

    def _standing(self, error: StrongroomError) -> str:
        """What stands where, as far as it can be found out."""
        found = []
        for item in self.items:
            try:
                state = item.restoration.find_state()
            except StrongroomError as trouble:
                found.append(f"{item.name}: not known ({trouble.message})")
            else:
                found.append(f"{item.name}: {_WORDS[state]}")
        return f"{error.message}; {'; '.join(found)}"

    def clear_up(self) -> None:
        """After a success: what is not to be kept is dropped.

        Where the next worker would not know of the success, if this one were killed, it is kept.
        """
        standing = [(item, replaced) for item in self.items if (replaced := _replaced(item)) is not None]
        self.gathered.is_healthy = True
        self.gathered.replaced = [replaced for _, replaced in standing]
        self.gathered.differences = [words for item in self.items for words in item.restoration.differences()]
        if not self.notebook.lasts:
            return
        self._conclude()
        if self.order.keeps_replaced or not standing:
            return
        with suppress(StrongroomError), self.steps.step("DropReplaced"):  # it is told as still standing
            for item, replaced in standing:
                item.restoration.drop(replaced)
                self.gathered.replaced.remove(replaced)

    def _conclude(self) -> None:
        for item in self.items:
            try:
                item.restoration.conclude()
            except StrongroomError as error:
                log.warning("%s: what it was made in is left: %s", item.name, error.message)

    def discard_quietly(self) -> None:
        """What was prepared goes; what cannot be removed is told to the log."""
        for item in self.items:
            try:
                if item.restoration.find_state() not in _EXCHANGED:
                    item.restoration.discard()
            except StrongroomError as error:
                log.warning("%s: what was prepared is left: %s", item.name, error.message)


def _list_some(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _replaced(item: Item) -> Replaced | None:
    """What stands replaced of it: a swap that is done says the same again."""
    return item.restoration.swap() if item.restoration.find_state() is State.Swapped else None


def _failure_of(error: BaseException) -> StrongroomError:
    if isinstance(error, StrongroomError):
        return error
    if isinstance(error, EndedError):
        return error.failure
    return StrongroomError(Reason.InternalError, f"{type(error).__name__}: {error}")


_WORDS = {
    State.Untouched: "the old stands in its place",
    State.Prepared: "the old stands in its place, the new beside it",
    State.Swapping: "exchanged by half",
    State.Swapped: "the new stands in its place, the old is kept beside it",
}
