"""A restore: everything prepared and compared before a service is stopped; then all exchanged, or all put back."""

import logging
from collections.abc import Sequence

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoreorder import RestoreOrder
from strongroom.api.restoring import PlannedItem
from strongroom.sources.restoration import State
from strongroom.worker.ending import EndedError
from strongroom.worker.restoring.choosing import Chosen, choose_point
from strongroom.worker.restoring.confirming import may_replace
from strongroom.worker.restoring.exchanging import Exchange
from strongroom.worker.restoring.items import Item, build_items, refuse_nested
from strongroom.worker.restoring.notes import Notebook, RememberedPoint
from strongroom.worker.restoring.outcomes import Gathered
from strongroom.worker.restoring.reading import Shelf
from strongroom.worker.restoring.steps import Steps
from strongroom.worker.restoring.workloads import build_services
from strongroom.worker.task import Done, Task

log = logging.getLogger(__name__)

_EXCHANGED = {State.Swapped, State.Swapping}


def run_restore(task: Task, order: RestoreOrder) -> tuple[Done, StrongroomError | None]:
    """Carry out the order, or give it up (task.rolls_back). Whatever fails, the old stands in the end, or the error says what does.

    Never raises StrongroomError or EndedError: what was done is told with the failure.
    """
    restore = _Restore(task, order)
    failure: StrongroomError | None = None
    try:
        restore.give_up() if task.rolls_back else restore.carry_out()
    except StrongroomError as error:
        failure = error
    except EndedError as ended:
        failure = ended.failure
    task.ending.put_off()
    return restore.done(), failure


class _Restore:
    """One attempt."""

    def __init__(self, task: Task, order: RestoreOrder) -> None:
        self._task = task
        self._order = order
        self._steps = Steps(task.progress)
        self._gathered = Gathered()
        self._notebook = Notebook(task.journal, task.order.run_uid, task.asking)
        self._services = build_services(task, order, self._notebook)
        self._shelf: Shelf | None = None
        self._is_known = False
        """Whether what stands now is known: an earlier attempt may have left an exchange, and somebody must put that back."""

    def done(self) -> Done:
        """For the result."""
        shelf = self._shelf
        outcome = self._gathered.outcome(
            self._steps.told, None if shelf is None else shelf.store, self._task.started_at
        )
        point = None if shelf is None else shelf.chosen.prefix
        restore = outcome if self._is_known else None
        return Done(recovery_point=point, restore=restore, message=self._words())

    def _words(self) -> str:
        gathered = self._gathered
        if gathered.rolled_back:
            return "the old state is back, and what was restored is removed"
        kept = f"; {len(gathered.replaced)} replaced and kept" if gathered.replaced else ""
        return f"restored, {gathered.compared} comparisons passed{kept}"

    def carry_out(self) -> None:
        """Go on from whatever an earlier worker has come to."""
        items = self._begin()
        exchange = self._exchange(items)
        note = self._notebook.note
        if note.phase == "RollingBack":
            exchange.put_back()
            self._is_known = True
            words = note.message or "an earlier attempt has failed"
            raise _telling(StrongroomError(_reason(note.reason), words), exchange.lost)
        if note.phase == "Done":
            self._is_known = True
            exchange.clear_up()
            return
        try:
            self._prepare(items)
        except BaseException as error:
            with self._task.ending.uninterrupted():
                exchange.put_back_if_begun()
                self._is_known = True
                exchange.discard_quietly()
            if isinstance(error, StrongroomError):
                raise _telling(error, exchange.lost) from error
            raise
        self._is_known = True  # it ends well, puts the old back, or fails with RollBackFailed
        exchange.carry_out()

    def give_up(self) -> None:
        """Put back whatever stands exchanged, start services, remove what was prepared. RollBackFailed for what is lost."""
        if self._notebook.is_blank:  # no worker of it has come as far as to change anything
            self._is_known = self._gathered.rolled_back = True
            return
        with self._task.ending.uninterrupted():
            exchange = self._exchange(self._recall_items() or self._begin())
            exchange.put_back()
        self._is_known = True
        if exchange.lost is not None:
            raise StrongroomError(Reason.RollBackFailed, exchange.lost)
        self._gathered.rolled_back = True

    def _begin(self) -> list[Item]:
        self._task.progress.enter("Connect")
        try:
            chosen = choose_point(self._task, self._order.choice, self._order.opening)
            self._shelf = Shelf(self._task, chosen, self._order.opening)
        except StrongroomError as error:
            self._shelf = self._recall(error)
        else:
            point = RememberedPoint(
                prefix=chosen.prefix, manifest=chosen.manifest, manifest_sha256=chosen.manifest_sha256
            )
            self._notebook.remember(point)
        return build_items(self._task, self._order, self._shelf)

    def _recall_items(self) -> list[Item]:
        """What an earlier worker has worked on: no store, key or signature is needed to put it back."""
        known = self._notebook.recall()
        if known is None:
            return []
        self._shelf = self._bare_shelf(known)
        return build_items(self._task, self._order, self._shelf)

    def _recall(self, error: StrongroomError) -> Shelf:
        """Whoever only puts back, or clears up, needs no copy: what an earlier worker has seen is enough."""
        known = self._notebook.recall()
        needs_copies = not self._task.rolls_back and self._notebook.note.phase == "Going"
        if known is None or needs_copies:
            raise error
        log.warning("no store is asked any more: %s", error.message)
        return self._bare_shelf(known)

    def _bare_shelf(self, known: RememberedPoint) -> Shelf:
        return Shelf.without_copies(
            self._task, Chosen(known.prefix, known.manifest, known.manifest_sha256, stores={})
        )

    def _exchange(self, items: Sequence[Item]) -> Exchange:
        return Exchange(
            self._task, self._order, items, self._steps, self._gathered, self._services, self._notebook
        )

    def _prepare(self, items: Sequence[Item]) -> None:
        """All of the new, whole and compared, beside the old."""
        states = {item.file.artifact.file: item.restoration.find_state() for item in items}
        kept = [item for item in items if not item.goes_over]
        if any(states[item.file.artifact.file] in _EXCHANGED for item in kept):
            if any(states[item.file.artifact.file] is State.Untouched for item in kept):
                words = "an earlier attempt was ended while it put back the old"
                raise StrongroomError(Reason.RestoreFailed, words)
        else:
            refuse_nested(items)
            for item in items:
                self._refuse_unconfirmed(item, item.restoration.plan())
            self._services.find()
        for item in items:
            if states[item.file.artifact.file] is State.Untouched:
                self._read(item)
        for item in kept:
            if states[item.file.artifact.file] not in _EXCHANGED:
                with self._steps.step("Compare", item.source, item.file.artifact.database):
                    self._gathered.compare(item.restoration.compare(), item.name)

    def _refuse_unconfirmed(self, item: Item, planned: PlannedItem) -> None:
        """What an earlier attempt has begun to restore over is no newcomer."""
        is_begun = item.name in self._notebook.note.overwritten
        if planned.overwrites and not (is_begun or may_replace(self._order, item.file)):
            words = f"{item.name}: {planned.into!r} would be overwritten now, and was not there when it was planned and confirmed"
            raise StrongroomError(Reason.ConfirmationWrong, f"spec.confirm: {words}")

    def _read(self, item: Item) -> None:
        assert self._shelf is not None  # noqa: S101 - begun
        where = item.source, item.file.artifact.database
        self._shelf.read_into(
            item.file,
            item.restoration.prepare,
            fetching=lambda: self._steps.step("Fetch", *where),
            restoring=lambda: self._steps.step("Restore", *where),
        )


def _telling(error: StrongroomError, lost: str | None) -> StrongroomError:
    """The error, and what an earlier attempt has left of the old."""
    return error if lost is None else StrongroomError(error.reason, f"{error.message}; {lost}")


def _reason(name: str | None) -> Reason:
    return Reason.__members__.get(name or "", Reason.RestoreFailed)
