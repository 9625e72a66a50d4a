"""Configuration in its place: file by file, each exchanged in one step, and only those that differ. What the backup lacks stays."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoring import CheckResult, PlannedItem, Replaced
from strongroom.sources.files.removing import remove_tree
from strongroom.sources.files.restoring.differing import is_same
from strongroom.sources.files.restoring.fileplans import Entry, FilePlan, Top
from strongroom.sources.files.restoring.renaming import exists, failing, times_kept
from strongroom.sources.files.restoring.rooms import refuse_lack
from strongroom.sources.files.restoring.trees import Goal, planned, refuse_newcomer
from strongroom.sources.files.restoring.works import Step
from strongroom.sources.files.unpacking.extracting import TREE
from strongroom.sources.files.unpacking.intake import Unpacking
from strongroom.sources.notes import Notes, printable
from strongroom.sources.reading import Chunk
from strongroom.sources.restoration import Intake, State

_NAMED = 3


class ConfigRestoration:
    """See Restoration. Each top has a private folder with the new files; afterwards it holds the old ones.

    The plans of all tops are written before the checks in the first one's folder: from then on it is Prepared.
    """

    def __init__(self, goal: Goal, tops: Sequence[Top], scratch: Path) -> None:
        """`scratch`: where the archive is unpacked to, before each file is brought beside its place."""
        self._goal = goal
        self._tops = tops
        self._scratch = scratch

    def tell(self) -> Sequence[str]:
        """For the plan."""
        return self._goal.remarks

    @property
    def places(self) -> list[bytes]:
        """What files are exchanged in."""
        return [top.place for top in self._tops]

    def plan(self) -> PlannedItem:
        """See Restoration."""
        with failing(self._goal.what):
            for top in self._tops:
                above = os.path.dirname(top.work.folder)  # noqa: PTH120 - names are bytes here
                if not os.path.isdir(above):  # noqa: PTH112
                    words = f"{self._goal.what}: the folder of {os.fsdecode(top.path)} does not exist"
                    raise StrongroomError(Reason.TargetMissing, words)
                refuse_lack(self._goal.what, self._goal.artifact, above)
            return planned(self._goal, overwrites=any(exists(top.place) for top in self._tops))

    def find_state(self) -> State:
        """See Restoration."""
        with failing(self._goal.what):
            return self._find_state()

    def prepare(self) -> Intake:
        """See Restoration."""
        with failing(self._goal.what):
            self._remove()
            return _ConfigIntake(self._goal, self._tops, self._scratch)

    def compare(self) -> Iterator[CheckResult]:
        """See Restoration."""
        made = self._tops[0].work.made()
        if made is None:
            raise StrongroomError(Reason.RestoreFailed, f"{self._goal.what}: nothing is prepared")
        yield from made.checks

    def refuse_unforeseen(self) -> None:
        """See Restoration."""
        with failing(self._goal.what):
            is_next = self._find_state() is State.Prepared
            if is_next and not self._goal.replaces and any(exists(top.place) for top in self._tops):
                refuse_newcomer(self._goal)

    def swap(self) -> Replaced | None:
        """See Restoration: each file in one step, all of them in any number of attempts."""
        self.refuse_unforeseen()
        with failing(self._goal.what):
            for top, number, entry in self._entries():
                top.put_in(number, entry)
            self._tops[0].work.take_step(Step(phase="Swapped"))
            has_old = any(exists(top.new_of(number)) for top, number, _ in self._entries())
        goal = self._goal
        kept = Replaced(source=goal.artifact.source, kind="folder", original=goal.into, kept_as=goal.kept_as)
        return kept if has_old else None

    def swap_back(self) -> None:
        """See Restoration."""
        with failing(self._goal.what):
            if self._tops[0].work.step() is not None:
                self._tops[0].work.forget_step()
            for top, number, entry in reversed(list(self._entries())):
                top.take_out(number, entry)

    def discard(self) -> None:
        """See Restoration."""
        with failing(self._goal.what):
            if self._find_state() not in {State.Swapped, State.Swapping}:
                self._remove()

    def conclude(self) -> None:
        """See Restoration."""
        with failing(self._goal.what):
            is_swapped = self._find_state() is State.Swapped
            if is_swapped and not any(exists(top.new_of(number)) for top, number, _ in self._entries()):
                self._remove()

    def drop(self, replaced: Replaced) -> None:
        """See Restoration."""
        if replaced.kept_as != self._goal.kept_as:
            words = f"{self._goal.what}: {replaced.kept_as} is no name that this restore has made"
            raise StrongroomError(Reason.RestoreFailed, words)
        with failing(self._goal.what):
            self._remove()

    def differences(self) -> Sequence[str]:
        """See Restoration."""
        with failing(self._goal.what):
            return [top.describe(number, entry) for top, number, entry in self._entries()]

    def _find_state(self) -> State:
        if self._tops[0].work.made() is None:
            return State.Untouched
        if self._tops[0].work.step() is not None:
            return State.Swapped
        return (
            State.Swapping if any(top.is_in(entry) for top, _, entry in self._entries()) else State.Prepared
        )

    def _entries(self) -> Iterator[tuple[Top, int, Entry]]:
        for top in self._tops:
            plan = top.work.read_plan(FilePlan) or FilePlan()
            yield from ((top, number, entry) for number, entry in enumerate(plan.entries))

    def _remove(self) -> None:
        for top in self._tops:
            if os.path.isdir(os.path.dirname(top.work.folder)):  # noqa: PTH112, PTH120
                top.work.remove()


class _ConfigIntake:
    """See Intake."""

    takes_effect_early = False

    def __init__(self, goal: Goal, tops: Sequence[Top], scratch: Path) -> None:
        self._goal = goal
        self._tops = tops
        self._folder = os.fsencode(scratch.resolve()) + b"/" + os.path.basename(tops[0].work.folder)  # noqa: PTH119
        remove_tree(self._folder)
        self._unpacking = Unpacking(self._folder, goal.wanted())
        self._is_kept = False

    def write(self, chunk: Chunk) -> None:
        """See Intake."""
        with failing(self._goal.what):
            self._unpacking.write(chunk)

    def finish(self) -> None:
        """See Intake."""
        with failing(self._goal.what):
            self._unpacking.finish()
            for top in self._tops:
                with times_kept(os.path.dirname(top.work.folder)):  # noqa: PTH120
                    os.makedirs(top.work.tree, 0o700)  # noqa: PTH103
            left_out = self._bring()
            checks = [*self._unpacking.checks, *_told(self._goal.what, left_out)]
            self._tops[0].work.complete(checks, None)
            self._is_kept = True

    def _bring(self) -> Notes:
        """Every file that differs, beside its place; the names of those that have none any more."""
        plans: dict[bytes, list[Entry]] = {top.path: [] for top in self._tops}
        left_out = Notes()
        for name, source in _files(self._folder + b"/" + TREE):
            found = self._top_of(name)
            if found is None:
                left_out.add(printable(name))
                continue
            top, rest = found
            top.refuse_links(rest, self._goal.what)
            place = top.place + b"/" + rest if rest else top.place
            if not is_same(place, source):
                entries = plans[top.path]
                entries.append(top.add(len(entries), rest, source))
        for top in self._tops:
            top.work.write_plan(FilePlan(entries=plans[top.path]))
        return left_out

    def _top_of(self, name: bytes) -> tuple[Top, bytes] | None:
        """The innermost top that a file belongs to, and the way below it."""
        fitting = [top for top in self._tops if name == top.path or name.startswith(top.path + b"/")]
        if not fitting:
            return None
        top = max(fitting, key=lambda each: len(each.path))
        return top, name[len(top.path) + 1 :]

    def __enter__(self) -> Self:
        """See Intake."""
        return self

    def __exit__(self, *error: object) -> None:
        """See Intake. The unpacked archive goes in any case: its files are beside their places now."""
        with failing(self._goal.what):
            self._unpacking.__exit__(*error)
            if not self._is_kept:
                for top in self._tops:
                    top.work.remove()


def _files(tree: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Files and symbolic links of a tree: each by its name on the host, and where it is."""
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(tree + folder) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                name = folder + b"/" + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(name)
                elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
                    yield name, tree + name


def _told(what: str, left_out: Notes) -> list[CheckResult]:
    if not left_out.count:
        return []
    words = f"left out: {left_out.count}: {', '.join(left_out.first[:_NAMED])}"
    name = f"{what}: files that the policy does not name any more"
    return [CheckResult(name=name[:253], passed=True, found=words[:256])]
