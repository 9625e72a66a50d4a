"""What every way to run workers has in common: one is started from a launch, found again by its record, followed and ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

from strongroom.agent.folders import AttemptFolder, JobFolder
from strongroom.agent.hostview import HostView
from strongroom.agent.records import Attempt, Plan
from strongroom.api.workorder import WorkOrder


@dataclass(frozen=True)
class Launch:
    """One worker to be started: its Job, its order, its folder, and what of the host the order may have."""

    plan: Plan
    folder: JobFolder
    number: int
    order: WorkOrder
    view: HostView = field(default_factory=HostView)
    reach: tuple[str, ...] = ()
    """Networks that a health check may fetch from, besides the machine's own addresses."""
    may_restore: Callable[[PurePosixPath], bool] = lambda _path: False
    """Whether a restore may replace or make what lies at a path of the host, links followed."""
    rolls_back: bool = False
    """Whether the worker only puts back what earlier ones of a restore have done."""

    @property
    def files(self) -> AttemptFolder:
        """The attempt's own files."""
        return self.folder.attempt_folder(self.number)


class RunningWorker(Protocol):
    """A worker that was started, by this agent or by one before it."""

    def __str__(self) -> str:
        """For the log, such as `process 123`."""
        ...

    async def wait(self) -> int | None:
        """Until it has ended; its exit code (negative: the signal), or None when that is not known. May be called again."""
        ...

    async def stop(self, grace_seconds: float) -> None:
        """Ask it to end, and end it after the grace. Idempotent; `Workers.clear` is to follow."""
        ...


class Workers(Protocol):
    """One way to run workers."""

    def start(self, launch: Launch, attempt: Attempt, save: Callable[[Attempt], None]) -> RunningWorker:
        """Start one, and `save` the attempt before it is begun and whenever more is known of it. Blocks.

        Raises StrongroomError when it cannot be started; then nothing of it is left. Once begun, it runs to its end even if
        nobody waits for this call any more.
        """
        ...

    async def find(self, folder: JobFolder, attempt: Attempt) -> RunningWorker | None:
        """The worker of an attempt that was begun, running or ended; None when there is none, and none will come."""
        ...

    async def clear(self, folder: JobFolder, attempt: Attempt, worker: RunningWorker | None) -> None:
        """Make sure that nothing of an ended or unknown worker runs any more, and remove what held it. Idempotent."""
        ...
