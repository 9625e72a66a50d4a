"""The steps of a restore, told as they go: in progress lines, and in the result whatever comes of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from strongroom.api.errors import StrongroomError
from strongroom.api.restoring import RestoreStep, StepName
from strongroom.api.result import Stage
from strongroom.worker.progress import ProgressLines

_STAGES: dict[StepName, Stage] = {
    "Fetch": "Fetch",
    "Restore": "Restore",
    "Compare": "Compare",
    "StopServices": "Hooks",
    "Swap": "Swap",
    "StartServices": "Hooks",
    "HealthCheck": "HealthCheck",
    "RollBack": "RollBack",
    "DropReplaced": "DropReplaced",
}


class Steps:
    """Each step once, in the order in which they began. One that is entered again goes on."""

    def __init__(self, progress: ProgressLines) -> None:
        """Nothing has begun."""
        self._progress = progress
        self._steps: dict[StepName, RestoreStep] = {}

    @property
    def told(self) -> list[RestoreStep]:
        """All that have begun."""
        return list(self._steps.values())

    @contextmanager
    def step(
        self,
        name: StepName,
        source: str | None = None,
        database: str | None = None,
        *,
        message: str | None = None,
    ) -> Iterator[None]:
        """Inside, the step is under way; it fails with what is raised."""
        before = self._steps.get(name)
        started = datetime.now(UTC) if before is None else before.started_at
        self._tell(RestoreStep(name=name, state="Running", started_at=started, message=message))
        self._progress.enter(_STAGES[name], source, database)
        try:
            yield
        except BaseException as error:
            words = error.message if isinstance(error, StrongroomError) else str(error)
            self._finish(name, RestoreStep(name=name, state="Failed", started_at=started, message=words))
            raise
        self._finish(name, RestoreStep(name=name, state="Succeeded", started_at=started, message=message))

    def roll_back(self, *names: StepName) -> None:
        """Those that have succeeded are undone."""
        for name in names:
            step = self._steps.get(name)
            if step is not None and step.state == "Succeeded":
                self._tell(step.model_copy(update={"state": "RolledBack"}))

    def _finish(self, name: StepName, step: RestoreStep) -> None:
        self._tell(step.model_copy(update={"name": name, "finished_at": datetime.now(UTC)}))

    def _tell(self, step: RestoreStep) -> None:
        self._steps[step.name] = step
        self._progress.steps = self.told
