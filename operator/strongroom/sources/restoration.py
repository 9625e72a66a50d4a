"""What every source offers to a restore: the new is made beside the old, compared, exchanged with it, and exchanged back.

A worker may be killed between any two calls, and another one begins anew with the same order. So nothing is remembered in the
process: whatever is made bears a name that follows from the request's uid, and `find_state` tells from what is there how far
it has come.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Protocol, Self

from strongroom.api.restoring import CheckResult, PlannedItem, Replaced
from strongroom.sources.reading import Chunk

UNFORESEEN = "and stays: neither the plan nor its confirmation knew of it (create another request)"
"""Why something that has appeared is not replaced."""


class State(StrEnum):
    """How far an item has come, as what is there tells."""

    Untouched = "Untouched"
    """The old stands; beside it nothing, or something unfinished that `prepare` removes first."""
    Prepared = "Prepared"
    """The new stands beside the old, whole."""
    Swapping = "Swapping"
    """The exchange was cut short where it is not one step: `swap` completes it, `swap_back` undoes it."""
    Swapped = "Swapped"
    """The new has the old one's name; the old is kept beside it, where there was one."""


class Intake(Protocol):
    """Takes the plain stream of one artifact. Leaving the context without `finish` removes what was made of it."""

    @property
    def takes_effect_early(self) -> bool:
        """Whether something is carried out of what is written before `finish`, as SQL is: then only proved bytes are written."""

    def write(self, chunk: Chunk) -> None:
        """Take the whole chunk. RestoreFailed, NotEnoughSpace, ArchiveRefused, … when it cannot."""

    def finish(self) -> None:
        """The stream was whole and its digest right: complete the new, durably. From then on the state is Prepared."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(self, *_: object) -> None:
        """Remove what is unfinished."""


class Restoration(Protocol):
    """One artifact of a recovery point on its way back. Every method may be called again after a failure or a kill."""

    def plan(self) -> PlannedItem:
        """What would be done, found out without changing anything.

        Raises what makes it impossible: TargetMissing, TargetExists, TargetInUse, ClientTooOld, ServerTooOld, ExtensionMissing,
        NotEnoughSpace, PermissionDenied, HostForbids, …
        """

    def find_state(self) -> State:
        """How far it has come."""

    def prepare(self) -> Intake:
        """Begin to make the new beside the old, after removing what an earlier attempt left unfinished."""

    def compare(self) -> Iterator[CheckResult]:
        """What was prepared (or swapped in), compared with the manifest."""

    def refuse_unforeseen(self) -> None:
        """Raise TargetExists if its place is taken by something that nobody has agreed to have replaced. Changes nothing."""

    def swap(self) -> Replaced | None:
        """Give the new the old one's name, and the old another, in one step where the medium has one; durable on return.

        Idempotent: called again it answers the same. None where there was no old one.
        """

    def swap_back(self) -> None:
        """Undo `swap`: the old has its name again, the new is put beside it. Idempotent."""

    def discard(self) -> None:
        """Remove what was prepared and is not swapped in. Idempotent; never touches the old, nor what is swapped in."""

    def conclude(self) -> None:
        """The restore has succeeded for good: remove what only told how far it has come, where nothing was replaced. Idempotent."""

    def differences(self) -> Sequence[str]:
        """What is or was exchanged file by file, for people: names and counts, never contents. Whole from Prepared on."""

    def drop(self, replaced: Replaced) -> None:
        """Remove what was replaced. Refuses a name that `swap` cannot have made. Idempotent."""
