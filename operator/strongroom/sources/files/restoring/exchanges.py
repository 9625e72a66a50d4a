"""Two ways to exchange the new with the old: in one step; or entry by entry, where the root itself is a mount."""

import itertools
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.files.naming import OWN_PREFIX
from strongroom.sources.files.restoring.carrying import Carrier
from strongroom.sources.files.restoring.renaming import exchange, exists, inode, move, sync_folder
from strongroom.sources.files.restoring.works import Made, Step, Work
from strongroom.sources.files.unpacking.intake import sync_file_system
from strongroom.sources.restoration import State


class Exchange(Protocol):
    """One way. Every method may be called again after a kill; `find_state` tells what is next."""

    def find_state(self) -> State:
        """See Restoration."""

    def swap(self) -> bool:
        """The new goes in; whether there was an old one, which is in the private folder then."""

    def swap_back(self) -> None:
        """The old goes in again."""


@dataclass(frozen=True)
class OneStep:
    """The new and the old are beside each other, and change names."""

    work: Work
    place: bytes
    carrier: Carrier | None = None

    def find_state(self) -> State:
        """See Exchange. What is not the new in the private folder is the old, whoever has touched the place since."""
        made = self.work.made()
        if made is None:
            return State.Untouched
        if self.work.holds_new(made):
            return State.Prepared
        has_old = exists(self.work.new(made))
        return State.Swapped if has_old or self._is_in(made) else State.Untouched

    def swap(self) -> bool:
        """See Exchange."""
        made = self._made()
        if self.work.holds_new(made):
            new = self.work.new(made)
            if exists(self.place):
                if self.carrier is not None:
                    self.carrier.carry(self.place, new)
                exchange(new, self.place)
            else:
                move(new, self.place)
            self._sync(new)
        return exists(self.work.new(made))

    def swap_back(self) -> None:
        """See Exchange."""
        made = self._made()
        if self.work.holds_new(made):
            return
        new = self.work.new(made)
        if exists(new) and exists(self.place):
            exchange(new, self.place)
        elif exists(new):
            move(new, self.place)
        else:
            move(self.place, new)
        self._sync(new)

    def _is_in(self, made: Made) -> bool:
        return inode(self.place) == (made.device, made.inode)

    def _made(self) -> Made:
        return _made_by(self.work)

    def _sync(self, new: bytes) -> None:
        for path in (new, self.place):
            sync_folder(os.path.dirname(path))  # noqa: PTH120 - names are bytes here


@dataclass(frozen=True)
class EntryWise:
    """The root is a mount and keeps its name: what is in it goes out, entry by entry, and the new goes in.

    Nothing new is in the root before everything old is out of it (`Step.emptied`); on the way back nothing old before
    everything new is out.
    """

    work: Work
    root: bytes
    carrier: Carrier | None = None

    def find_state(self) -> State:
        """See Exchange."""
        if self.work.made() is None:
            return State.Untouched
        step = self.work.step()
        if step is None:
            return State.Prepared
        return State.Swapped if step.phase == "Swapped" else State.Swapping

    def swap(self) -> bool:
        """See Exchange. What is cut short is completed in whichever direction it goes; then forward."""
        step = self.work.step()
        if step is not None and step.phase == "Backward":
            self.swap_back()
            step = None
        if step is None:
            step = self._begin()
        if step.phase == "Forward":
            self._go_forward(step)
        return True

    def swap_back(self) -> None:
        """See Exchange."""
        step = self.work.step()
        if step is None:
            return
        if step.phase != "Backward":
            step = step.model_copy(update={"phase": "Backward"})
            self.work.take_step(step)
        self._go_backward(step)
        self.work.forget_step()

    def _begin(self) -> Step:
        _made_by(self.work)
        if self.carrier is not None:
            self.carrier.carry(self.root, self.work.tree)
        for folder in (self.work.old, self.work.late, self.work.was, self.work.is_):
            os.makedirs(folder, 0o700, exist_ok=True)  # noqa: PTH103
        copy_attributes(self.root, self.work.was)
        copy_attributes(self.work.tree, self.work.is_)
        step = Step(phase="Forward")
        self._take_step(step)
        return step

    def _go_forward(self, step: Step) -> None:
        if not step.emptied:
            for name in list(_entries(self.root)):
                if exists(self.work.old + b"/" + name):
                    self._clear_way(name)
                else:
                    move(self._in_root(name), self.work.old + b"/" + name)
            step = step.model_copy(update={"emptied": True})
            self._take_step(step)
        for name in list(_entries(self.work.tree)):
            self._clear_way(name)
            move(self.work.tree + b"/" + name, self._in_root(name))
        copy_attributes(self.work.is_, self.root)
        self._take_step(step.model_copy(update={"phase": "Swapped"}))

    def _go_backward(self, step: Step) -> None:
        if step.emptied:
            for name in list(_entries(self.root)):
                if exists(self.work.tree + b"/" + name):
                    self._clear_way(name)
                else:
                    move(self._in_root(name), self.work.tree + b"/" + name)
            self._take_step(step.model_copy(update={"emptied": False}))
        for name in list(_entries(self.work.old)):
            self._clear_way(name)
            move(self.work.old + b"/" + name, self._in_root(name))
        copy_attributes(self.work.was, self.root)
        sync_file_system(self.work.folder)

    def _take_step(self, step: Step) -> None:
        """What was done before is on the disk before it is written that it was."""
        sync_file_system(self.work.folder)
        self.work.take_step(step)

    def _clear_way(self, name: bytes) -> None:
        """Somebody runs who should not, and makes what we took away: it is kept with the old."""
        if exists(self._in_root(name)):
            number = next(n for n in itertools.count(1) if not exists(self.work.late + b"/%d" % n))
            move(self._in_root(name), self.work.late + b"/%d" % number)

    def _in_root(self, name: bytes) -> bytes:
        return self.root + b"/" + name


def copy_attributes(source: bytes, target: bytes) -> None:
    """Owner, mode, extended attributes (access lists among them) and times of one folder to another, as far as rights go."""
    facts = os.lstat(source)
    if os.geteuid() == 0:
        os.chown(target, facts.st_uid, facts.st_gid)
    os.chmod(target, facts.st_mode & 0o7777)  # noqa: PTH101
    wanted = set(os.listxattr(source))
    for name in {*os.listxattr(target)} - wanted:
        with suppress(PermissionError):
            os.removexattr(target, name)
    for name in wanted:
        with suppress(PermissionError):
            os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _entries(folder: bytes) -> Iterator[bytes]:
    """But for what restores have made."""
    with os.scandir(folder) as entries:
        yield from sorted(entry.name for entry in entries if not entry.name.startswith(OWN_PREFIX))


def _made_by(work: Work) -> Made:
    made = work.made()
    if made is None:
        words = f"{os.fsdecode(work.folder)}: nothing is prepared there"
        raise StrongroomError(Reason.RestoreFailed, words)
    return made
