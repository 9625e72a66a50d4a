"""Whether a tar stream holds exactly what the walk has found, while it is read and whenever it is read back."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.filesources import OnChange
from strongroom.api.result import Artifact
from strongroom.sources.files.messages import Messages
from strongroom.sources.files.tarscan import Tally, TarScan
from strongroom.sources.files.walking import Walk
from strongroom.sources.notes import Notes
from strongroom.sources.reading import Contents

_HASH_MODULUS = 1 << 64
_NAMED = 5
_NAMED_LENGTH = 150


@dataclass
class Ledger:
    """What one reading is to hold and what tar has said of it, complete when its stream is finished; and what it held."""

    walk: Walk
    messages: Messages = field(default_factory=Messages)
    where: str = "the source"
    """The place, in the policy's words."""
    allow_empty: bool = True
    held: Tally | None = None

    @property
    def source(self) -> str:
        """Name of the source."""
        return self.walk.source

    @property
    def changed(self) -> Notes:
        """Files that changed or vanished."""
        return self.walk.vanished.joined(self.messages.changed)

    @property
    def skipped(self) -> Notes:
        """Sockets and devices."""
        return self.walk.skipped.joined(self.messages.skipped)

    def compare(self, found: Tally) -> None:
        """See Account. The first stream is what later ones must equal."""
        if self.held is None:
            members = self.walk.members - self.messages.absent
            names = self.walk.names - self.messages.absent_names
            compare_tallies(self.source, found, Tally(members, found.size_bytes, names, found.folders))
            if not self.allow_empty:
                refuse_empty(self.source, self.where, found)
            self.held = found
        compare_tallies(self.source, found, self.held)


def compare_tallies(source: str, found: Tally, expected: Tally) -> None:
    """VerificationFailed unless they are of the same members."""
    same_names = (found.names - expected.names) % _HASH_MODULUS == 0
    if (found.members, found.size_bytes) != (expected.members, expected.size_bytes) or not same_names:
        raise StrongroomError(
            Reason.VerificationFailed,
            f"source {source}: the archive holds {found.members} members with {found.size_bytes} bytes "
            f"instead of {expected.members} with {expected.size_bytes}, or others",
        )


def refuse_empty(source: str, where: str, found: Tally) -> None:
    """SourceEmpty for an archive of nothing but folders."""
    if found.members == found.folders:
        raise StrongroomError(Reason.SourceEmpty, f"source {source}: there is no file in {where}")


class Account(Protocol):
    """What is known of one reading when its stream has ended."""

    @property
    def source(self) -> str:
        """Name of the source."""

    @property
    def changed(self) -> Notes:
        """Files that changed or vanished."""

    @property
    def skipped(self) -> Notes:
        """Sockets and devices."""

    def compare(self, found: Tally) -> None:
        """VerificationFailed unless a stream that holds this is what was read; SourceEmpty without a file, if that matters."""


class FilesCheck:
    """See Check."""

    def __init__(self, ledger: Account, on_change: OnChange) -> None:
        """Begin; the ledger is looked at when the stream has ended."""
        self._ledger = ledger
        self._on_change = on_change
        self._scan = TarScan()
        self.write = self._scan.write

    def finish(self) -> Contents:
        """See Check; FilesChanged when files changed and the policy does not want such a backup."""
        tally = self._scan.finish()
        self._ledger.compare(tally)
        changed = self._ledger.changed
        if changed.count and self._on_change == "Fail":
            raise files_changed(self._ledger.source, changed)
        return Contents(
            member_count=tally.members,
            member_bytes=tally.size_bytes,
            changed=changed,
            skipped=self._ledger.skipped,
        )

    def __enter__(self) -> Self:
        """See Check."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See Check."""


class CountCheck:
    """See Check: an archive of an earlier run, of which only its description is left."""

    def __init__(self, artifact: Artifact) -> None:
        """Begin."""
        self._artifact = artifact
        self._scan = TarScan()
        self.write = self._scan.write

    def finish(self) -> Contents:
        """See Check; ArtifactCorrupt unless it holds as many members and bytes as are told of it."""
        found = self._scan.finish()
        told = (self._artifact.member_count, self._artifact.member_bytes)
        if (found.members, found.size_bytes) != told:
            raise StrongroomError(
                Reason.ArtifactCorrupt,
                f"{self._artifact.file} holds {found.members} members with {found.size_bytes} bytes, and its manifest "
                f"tells of {told[0]} with {told[1]}",
            )
        return Contents(member_count=found.members, member_bytes=found.size_bytes)

    def __enter__(self) -> Self:
        """See Check."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See Check."""


def files_changed(source: str, changed: Notes) -> StrongroomError:
    """FilesChanged with the first names."""
    return StrongroomError(
        Reason.FilesChanged, f"source {source}: {describe_changes(changed.count, changed.first)}"
    )


def describe_changes(count: int, first: list[str]) -> str:
    """How many, and the first few of them (onChange is the field that decides about them)."""
    named = "; ".join(excerpt(name, _NAMED_LENGTH) for name in first[:_NAMED])
    more = f"; and {count - _NAMED} more" if count > _NAMED else ""
    files = "1 file" if count == 1 else f"{count} files"
    return f"{files} changed or vanished while they were read (onChange): {named}{more}"
