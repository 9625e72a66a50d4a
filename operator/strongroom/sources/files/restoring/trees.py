"""A tree of files on its way back: unpacked into a private folder, and exchanged with what is in its place."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoring import CheckResult, PlannedItem, Replaced
from strongroom.api.result import Artifact
from strongroom.sources.files.naming import OWN_PREFIX
from strongroom.sources.files.restoring.exchanges import EntryWise, Exchange, OneStep
from strongroom.sources.files.restoring.renaming import exists, failing, is_inode, times_kept
from strongroom.sources.files.restoring.rooms import free_bytes, needed_bytes, present_bytes, refuse_lack
from strongroom.sources.files.restoring.works import Work
from strongroom.sources.files.unpacking.intake import Unpacking, Wanted
from strongroom.sources.reading import Chunk
from strongroom.sources.restoration import UNFORESEEN, Intake, State

_CHEAP_BYTES = 1 << 30
"""Up to here the contents of all files are read once more and compared."""


@dataclass(frozen=True)
class Goal:
    """What an artifact becomes. `what`: object and artifact, in errors; `into`: the place in people's words.

    `place`: where that is for this worker. `kept_as`: what the private folder is called to people. `root`: the new or empty
    folder that it is made in, if it replaces nothing. `replaces`: whether what is in the place may be replaced, because it was there
    when it was planned, and is confirmed. `remarks`: what people should know before.
    """

    artifact: Artifact
    what: str
    into: str
    place: bytes
    kept_as: str
    kind: Literal["folder", "volume"]
    special: bool = False
    root: bytes | None = None
    replaces: bool = False
    remarks: tuple[str, ...] = ()

    def wanted(self) -> Wanted:
        """What the archive has to be."""
        return wanted_of(self.artifact, self.what, special=self.special)


def wanted_of(artifact: Artifact, what: str, *, special: bool = False) -> Wanted:
    """What the archive of that artifact has to be. ArchiveRefused where the manifest does not tell."""
    if artifact.member_count is None or artifact.member_bytes is None:
        words = f"{what}: the manifest does not tell how many members {artifact.file} has"
        raise StrongroomError(Reason.ArchiveRefused, words)
    return Wanted(
        what=what,
        members=artifact.member_count,
        size_bytes=artifact.member_bytes,
        special=special,
        is_tree=artifact.kind == "files",
        digests=artifact.member_bytes <= _CHEAP_BYTES,
    )


class TreeRestoration:
    """See Restoration: of an archive of kind files, or of kind config into a folder."""

    def __init__(self, goal: Goal, work: Work, exchange: Exchange) -> None:
        """`exchange` is between `work` and the goal's place."""
        self._goal = goal
        self._work = work
        self._exchange = exchange

    def plan(self) -> PlannedItem:
        """See Restoration."""
        goal, artifact = self._goal, self._goal.artifact
        with failing(goal.what):
            is_there = exists(goal.place)
            self._refuse_root()
            refuse_lack(goal.what, artifact, self._work.folder)
            return planned(
                goal,
                overwrites=is_there,
                present_bytes=present_bytes(goal.place) if is_there else None,
                free_bytes=free_bytes(self._work.folder),
            )

    def find_state(self) -> State:
        """See Restoration."""
        with failing(self._goal.what):
            return self._exchange.find_state()

    def prepare(self) -> Intake:
        """See Restoration."""
        with failing(self._goal.what):
            self._work.remove()
            refuse_lack(self._goal.what, self._goal.artifact, self._work.folder)
            if self._goal.root is not None and not exists(self._goal.root):
                os.mkdir(self._goal.root, 0o700)  # noqa: PTH102 - names are bytes here
            with times_kept(os.path.dirname(self._work.folder)):  # noqa: PTH120
                return self._start()

    def _start(self) -> Intake:
        return _TreeIntake(self._goal, self._work, self._refuse_mismatch)

    def tell(self) -> Sequence[str]:
        """For the plan."""
        return self._goal.remarks

    @property
    def places(self) -> list[bytes]:
        """What is exchanged: whatever lies below goes along."""
        return [self._goal.place]

    def compare(self) -> Iterator[CheckResult]:
        """See Restoration: what was compared when it was made. Nobody else could write there since."""
        made = self._work.made()
        if made is None:
            raise StrongroomError(Reason.RestoreFailed, f"{self._goal.what}: nothing is prepared")
        yield from made.checks

    def refuse_unforeseen(self) -> None:
        """See Restoration."""
        goal = self._goal
        with failing(goal.what):
            is_next = self._exchange.find_state() is State.Prepared
            if is_next and not goal.replaces and exists(goal.place):
                refuse_newcomer(goal)

    def swap(self) -> Replaced | None:
        """See Restoration. TargetExists where a name has been taken meanwhile."""
        self.refuse_unforeseen()
        with failing(self._goal.what):
            if not self._exchange.swap():
                return None
        goal = self._goal
        return Replaced(source=goal.artifact.source, kind=goal.kind, original=goal.into, kept_as=goal.kept_as)

    def swap_back(self) -> None:
        """See Restoration."""
        with failing(self._goal.what):
            self._exchange.swap_back()

    def discard(self) -> None:
        """See Restoration."""
        with failing(self._goal.what):
            if self._exchange.find_state() not in {State.Swapped, State.Swapping}:
                self._work.remove()

    def conclude(self) -> None:
        """See Restoration: where nothing was replaced, the private folder has served."""
        with failing(self._goal.what):
            made = self._work.made()
            if made is None or self._exchange.find_state() is not State.Swapped:
                return
            if isinstance(self._exchange, EntryWise) or exists(self._work.new(made)):
                return
            if is_inode(self._goal.place, made.device, made.inode, self._work.folder):
                self._work.remove()

    def drop(self, replaced: Replaced) -> None:
        """See Restoration."""
        if replaced.kept_as != self._goal.kept_as:
            words = f"{self._goal.what}: {replaced.kept_as} is no name that this restore has made"
            raise StrongroomError(Reason.RestoreFailed, words)
        with failing(self._goal.what):
            self._work.remove()

    def differences(self) -> Sequence[str]:
        """See Restoration."""
        return ()

    def _refuse_root(self) -> None:
        """TargetExists for a folder that is not empty, TargetMissing where there is none for the private one."""
        goal, above = self._goal, os.path.dirname(self._work.folder)  # noqa: PTH120
        if goal.root is None:
            if not os.path.isdir(above):  # noqa: PTH112
                words = f"{goal.what}: the folder that {goal.into} is in does not exist"
                raise StrongroomError(Reason.TargetMissing, words)
            return
        if not exists(goal.root):
            return
        if not os.path.isdir(goal.root) or (names := foreign_entries(goal.root)):  # noqa: PTH112
            there = f" (it holds {os.fsdecode(names[0])!r})" if os.path.isdir(goal.root) else ""  # noqa: PTH112
            words = f"{goal.what}: {goal.into.rpartition('/')[0]} is no empty folder{there}"
            raise StrongroomError(Reason.TargetExists, words)

    def _refuse_mismatch(self, file: bytes | None) -> None:
        """A mount's root is a folder and stays one."""
        if file is not None and isinstance(self._exchange, EntryWise):
            raise StrongroomError(
                Reason.RestoreFailed,
                f"{self._goal.what}: the backup is of a single file, and {self._goal.into} is a mount: its folder must be "
                "writable for restores (--allow-restore-path)",
            )


def planned(goal: Goal, *, overwrites: bool, **known: int | None) -> PlannedItem:
    """What is told of a goal in a plan."""
    artifact = goal.artifact
    return PlannedItem(
        source=artifact.source,
        kind=artifact.kind,
        file=artifact.file,
        database=artifact.database,
        into=goal.into,
        container=artifact.container,
        overwrites=overwrites,
        needed_bytes=needed_bytes(artifact),
        **known,
    )


def refuse_newcomer(goal: Goal) -> None:
    """Raise TargetExists: something has taken the place since it was planned."""
    way = UNFORESEEN if goal.root is None else ""
    raise StrongroomError(Reason.TargetExists, f"{goal.what}: {goal.into} was made meanwhile {way}".rstrip())


def foreign_entries(folder: bytes) -> list[bytes]:
    """What is in a folder, but for what restores and file systems make there."""
    with os.scandir(folder) as entries:
        names = (entry.name for entry in entries)
        return sorted(name for name in names if not name.startswith(OWN_PREFIX) and name != b"lost+found")


class Unmade(TreeRestoration):
    """See Restoration: into a volume that is not there yet. It can be planned, and no more."""

    def __init__(self, artifact: Artifact, what: str, into: str) -> None:
        """Nothing is looked at."""
        nowhere = b"/nonexistent"
        goal = Goal(
            artifact, what, into, nowhere, into, "volume", remarks=(f"{what}: the volume is made for it",)
        )
        super().__init__(goal, Work(nowhere), OneStep(Work(nowhere), nowhere))

    def plan(self) -> PlannedItem:
        """See Restoration."""
        return planned(self._goal, overwrites=False)


class FileRestoration(TreeRestoration):
    """See Restoration: an artifact as the plain file that it is, such as a dump for pg_restore."""

    def _start(self) -> Intake:
        return _FileIntake(self._goal, self._work)


class _FileIntake:
    """See Intake."""

    takes_effect_early = False

    def __init__(self, goal: Goal, work: Work) -> None:
        self._goal = goal
        self._work = work
        self._name = os.path.basename(goal.place)  # noqa: PTH119
        self._is_kept = False
        os.mkdir(work.folder, 0o700)  # noqa: PTH102
        os.mkdir(work.tree, 0o700)  # noqa: PTH102
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        self._file = os.fdopen(os.open(work.tree + b"/" + self._name, flags, 0o600), "wb", buffering=0)

    def write(self, chunk: Chunk) -> None:
        """See Intake."""
        with failing(self._goal.what):
            rest = memoryview(chunk)
            while rest:
                rest = rest[self._file.write(rest) :]

    def finish(self) -> None:
        """See Intake."""
        with failing(self._goal.what):
            os.fsync(self._file.fileno())
            size = os.fstat(self._file.fileno()).st_size
            wanted = self._goal.artifact.plain_bytes
            checks = [
                CheckResult(
                    name=f"{self._goal.what}: bytes"[:253],
                    passed=size == wanted,
                    expected=str(wanted),
                    found=str(size),
                )
            ]
            self._work.complete(checks, self._name)
            self._is_kept = True

    def __enter__(self) -> Self:
        """See Intake."""
        return self

    def __exit__(self, *_: object) -> None:
        """See Intake."""
        with failing(self._goal.what):
            self._file.close()
            if not self._is_kept:
                self._work.remove()


class _TreeIntake:
    """See Intake."""

    takes_effect_early = False

    def __init__(self, goal: Goal, work: Work, check: Callable[[bytes | None], None]) -> None:
        self._goal = goal
        self._work = work
        self._check = check
        self._unpacking = Unpacking(work.folder, goal.wanted())

    def write(self, chunk: Chunk) -> None:
        """See Intake."""
        with failing(self._goal.what):
            self._unpacking.write(chunk)

    def finish(self) -> None:
        """See Intake."""
        with failing(self._goal.what):
            self._unpacking.finish()
            file = self._unpacking.file
            self._check(file)
            self._work.complete(self._unpacking.checks, file)
            self._unpacking.keep()

    def __enter__(self) -> Self:
        """See Intake."""
        return self

    def __exit__(self, *error: object) -> None:
        """See Intake."""
        with failing(self._goal.what):
            self._unpacking.__exit__(*error)
