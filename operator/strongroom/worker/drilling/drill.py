"""A drill: one recovery point from one store, restored, compared and checked; then all of it is thrown away."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import ManifestFile
from strongroom.api.restoreorder import DrillOrder
from strongroom.api.restoring import CheckResult, DrillOutcome
from strongroom.worker.drilling.databases import DatabaseDrill
from strongroom.worker.drilling.faults import is_backups_fault
from strongroom.worker.drilling.trees import drill_tree
from strongroom.worker.ending import EndedError
from strongroom.worker.restoring.choosing import Chosen, choose_point
from strongroom.worker.restoring.items import select_files
from strongroom.worker.restoring.outcomes import Gathered
from strongroom.worker.restoring.reading import Shelf
from strongroom.worker.restoring.steps import Steps
from strongroom.worker.task import Done, Task


def run_drill(task: Task, order: DrillOrder) -> tuple[Done, StrongroomError | None]:
    """Carry it out. A failure that is the backup's is an outcome, too; any other comes without one.

    Never raises StrongroomError or EndedError.
    """
    drill = _Drill(task, order)
    failure: StrongroomError | None = None
    try:
        drill.carry_out()
    except StrongroomError as error:
        failure = error
    except EndedError as ended:
        failure = ended.failure
    task.ending.put_off()
    return drill.done(failure), failure


class _Drill:
    """One drill."""

    def __init__(self, task: Task, order: DrillOrder) -> None:
        self._task = task
        self._order = order
        self._gathered = Gathered()
        self._steps = Steps(task.progress)
        self._began: float | None = None
        self._seconds = 0.0
        self._chosen: Chosen | None = None
        self._application: CheckResult | None = None

    def carry_out(self) -> None:
        """Raises whatever keeps the backup from being restored whole."""
        self._task.progress.enter("Connect")
        self._began = time.monotonic()
        self._require_keys()
        found = choose_point(self._task, self._order.choice, self._order.opening)
        # One copy is drilled: that another one is good would say nothing of it.
        first = next(iter(found.stores))
        self._chosen = replace(found, stores={first: found.stores[first]})
        shelf = Shelf(self._task, self._chosen, self._order.opening)
        files = select_files(self._chosen, self._order.choice)
        with ExitStack() as opened:
            self._restore(shelf, files, opened)
            self._seconds = time.monotonic() - self._began
            self._task.ending.put_off()  # what was made is removed, whatever is asked
        if self._application is not None and not self._application.passed:
            raise StrongroomError(Reason.HealthCheckFailed, _describe([self._application]))
        if failed := self._gathered.failed:
            raise StrongroomError(Reason.ComparisonFailed, _describe(failed))

    def _restore(self, shelf: Shelf, files: Sequence[ManifestFile], opened: ExitStack) -> None:
        databases = DatabaseDrill(self._task, self._order, shelf, files, self._steps, opened)
        for file in files:
            artifact = file.artifact
            if artifact.kind == "database":
                self._add(databases.restore(file))
            elif artifact.kind == "globals":
                databases.read_roles(artifact.source, artifact.container)
            else:
                self._add(drill_tree(self._task, shelf, file, self._steps))
        self._add(databases.run_checks())
        if self._order.application is not None and not self._gathered.failed:
            self._application = databases.check_application(self._order.application)
            self._gathered.add_first(self._application)

    def _add(self, checks: Sequence[CheckResult]) -> None:
        for check in checks:
            self._gathered.add(check)

    def _require_keys(self) -> None:
        """A Secret that is not there keeps the drill from running. Raises SecretMissing, SecretKeyMissing."""
        for place, reference in enumerate(self._order.opening.decryption_keys):
            self._task.secrets.read(reference, f"opening.decryptionKeys[{place}]")

    def done(self, failure: StrongroomError | None) -> Done:
        """For the result."""
        point = None if self._chosen is None else self._chosen.prefix
        words = f"restored, {self._gathered.compared} comparisons passed"
        return Done(recovery_point=point, drill=self._outcome(failure), message=words)

    def _outcome(self, failure: StrongroomError | None) -> DrillOutcome | None:
        """None where nothing was learnt of the backup."""
        has_keys = bool(self._order.opening.decryption_keys)
        if failure is not None and not is_backups_fault(
            failure.reason, has_keys=has_keys, has_begun=self._chosen is not None
        ):
            return None
        choice, chosen = self._order.choice, self._chosen
        point = chosen.prefix if chosen is not None else choice.recovery_point
        run = chosen.manifest.run if chosen is not None else choice.run
        if point is None or run is None:
            return None
        elapsed = 0.0 if self._began is None else time.monotonic() - self._began
        return DrillOutcome(
            passed=failure is None,
            store=next(iter(chosen.stores)) if chosen is not None else self._task.order.stores[0].name,
            recovery_point=point,
            run=run,
            restore_seconds=round(self._seconds or elapsed, 3),
            checks=[*self._gathered.failed, *self._gathered.passed][:200],
            compared_count=self._gathered.compared,
            application=self._application,
            reason=None if failure is None else failure.reason.name,
            message=None if failure is None else self._task.secrets.hide(failure.message)[:1024],
        )


def _describe(failed: Sequence[CheckResult]) -> str:
    first = failed[0]
    more = f"; {len(failed) - 1} more differ" if len(failed) > 1 else ""
    return f"{first.name}: expected {first.expected}, found {first.found}{more}"
