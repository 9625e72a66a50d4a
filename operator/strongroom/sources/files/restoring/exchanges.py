"""Two ways to exchange the new with the old: in one step; or entry by entry, where the root itself is a mount."""

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.files.naming import OWN_PREFIX
from strongroom.sources.files.restoring.carrying import Carrier
from strongroom.sources.files.restoring.renaming import (
    exchange,
    exists,
    is_inode,
    move,
    pinned,
    sync_folder,
)
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
        with self._pinned(made) as (new, place):
            if self.work.holds_new(made):
                if exists(place):
                    if self.carrier is not None:
                        self.carrier.carry(place, new)
                    exchange(new, place)
                else:
                    move(new, place)
                self._sync(new, place)
            return exists(new)

    def swap_back(self) -> None:
        """See Exchange."""
        made = self._made()
        if self.work.holds_new(made):
            return
        with self._pinned(made) as (new, place):
            if exists(new) and exists(place):
                exchange(new, place)
            elif exists(new):
                move(new, place)
            else:
                move(place, new)
            self._sync(new, place)

    @contextmanager
    def _pinned(self, made: Made) -> Iterator[tuple[bytes, bytes]]:
        """Where the new lies until it is exchanged, and where it goes."""
        name = os.path.basename(self.work.new(made))  # noqa: PTH119 - names are bytes here
        with ExitStack() as held:
            above = held.enter_context(pinned(os.path.dirname(self.place)))  # noqa: PTH120
            work = held.enter_context(pinned(above + b"/" + os.path.basename(self.work.folder)))  # noqa: PTH119
            holder = work if made.file is None else held.enter_context(pinned(work + b"/tree"))
            yield holder + b"/" + name, above + b"/" + os.path.basename(self.place)  # noqa: PTH119

    def _is_in(self, made: Made) -> bool:
        return is_inode(self.place, made.device, made.inode, self.work.folder)

    def _made(self) -> Made:
        return _made_by(self.work)

    @staticmethod
    def _sync(*paths: bytes) -> None:
        for path in paths:
            sync_folder(os.path.dirname(path))  # noqa: PTH120


@dataclass(frozen=True)
class _Pins:
    """The folders of an exchange, pinned. `was` and `is_` bear attributes of the old and the new root."""

    root: bytes
    work: Work
    tree: bytes
    old: bytes
    late: bytes
    was: bytes
    is_: bytes


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
            _made_by(self.work)
        with self._pinned() as pins:
            step = step or self._begin(pins)
            if step.phase == "Forward":
                self._go_forward(pins, step)
        return True

    def swap_back(self) -> None:
        """See Exchange."""
        step = self.work.step()
        if step is None:
            return
        with self._pinned() as pins:
            if step.phase != "Backward":
                step = step.model_copy(update={"phase": "Backward"})
                pins.work.take_step(step)
            self._go_backward(pins, step)
            pins.work.forget_step()

    @contextmanager
    def _pinned(self) -> Iterator[_Pins]:
        with ExitStack() as held:
            root = held.enter_context(pinned(self.root))
            name = os.path.basename(self.work.folder)  # noqa: PTH119 - names are bytes here
            work = Work(held.enter_context(pinned(root + b"/" + name)))
            folders = [work.tree, work.old, work.late, work.was, work.is_]
            for folder in folders[1:]:
                os.makedirs(folder, 0o700, exist_ok=True)  # noqa: PTH103
            yield _Pins(root, work, *(held.enter_context(pinned(folder)) for folder in folders))

    def _begin(self, pins: _Pins) -> Step:
        if self.carrier is not None:
            self.carrier.carry(pins.root, pins.tree)
        copy_attributes(pins.root, pins.was)
        copy_attributes(pins.tree, pins.is_)
        step = Step(phase="Forward")
        _take_step(pins, step)
        return step

    def _go_forward(self, pins: _Pins, step: Step) -> None:
        if not step.emptied:
            for name in list(_entries(pins.root)):
                if exists(pins.old + b"/" + name):
                    _clear_way(pins, name)
                else:
                    move(pins.root + b"/" + name, pins.old + b"/" + name)
            step = step.model_copy(update={"emptied": True})
            _take_step(pins, step)
        for name in list(_entries(pins.tree)):
            _clear_way(pins, name)
            move(pins.tree + b"/" + name, pins.root + b"/" + name)
        copy_attributes(pins.is_, pins.root)
        _take_step(pins, step.model_copy(update={"phase": "Swapped"}))

    def _go_backward(self, pins: _Pins, step: Step) -> None:
        if step.emptied:
            for name in list(_entries(pins.root)):
                if exists(pins.tree + b"/" + name):
                    _clear_way(pins, name)
                else:
                    move(pins.root + b"/" + name, pins.tree + b"/" + name)
            _take_step(pins, step.model_copy(update={"emptied": False}))
        for name in list(_entries(pins.old)):
            _clear_way(pins, name)
            move(pins.old + b"/" + name, pins.root + b"/" + name)
        copy_attributes(pins.was, pins.root)
        sync_file_system(pins.work.folder)


def _take_step(pins: _Pins, step: Step) -> None:
    """What was done before is on the disk before it is written that it was."""
    sync_file_system(pins.work.folder)
    pins.work.take_step(step)


def _clear_way(pins: _Pins, name: bytes) -> None:
    """Somebody runs who should not, and makes what we took away: it is kept with the old."""
    if exists(pins.root + b"/" + name):
        number = next(n for n in itertools.count(1) if not exists(pins.late + b"/%d" % n))
        move(pins.root + b"/" + name, pins.late + b"/%d" % number)


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
