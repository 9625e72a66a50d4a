"""Processes of this machine: who one is for certain, whether it lives, and how it and all its children end. Linux, by /proc."""

import os
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from strongroom.api.fields import Fields

PROC = Path("/proc")


class ProcessIdentity(Fields):
    """A process for certain: numbers are used again, but not with the same start in the same boot."""

    pid: Annotated[int, Field(ge=1)] = Field(description="Process number; also its session and group.")
    start_ticks: Annotated[int, Field(ge=0)] = Field(
        description="Clock ticks from boot to its start (proc(5))."
    )
    boot_id: str = Field(description="/proc/sys/kernel/random/boot_id of the boot it belongs to.")


@cache
def boot_id() -> str:
    """This boot of the machine."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a process, or None when it is gone (or only its exit code is left)."""
    stat = _stat(pid)
    if stat is None or stat.state in "ZX":
        return None
    return ProcessIdentity(pid=pid, start_ticks=stat.start_ticks, boot_id=boot_id())


def identify_child(pid: int) -> ProcessIdentity:
    """The identity of a child that has not been waited for; it may have ended already."""
    stat = _stat(pid)
    if stat is None:
        raise ProcessLookupError(f"process {pid} is not in {PROC}")
    return ProcessIdentity(pid=pid, start_ticks=stat.start_ticks, boot_id=boot_id())


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether that very process still runs."""
    return identify(identity.pid) == identity


def has_argument(pid: int, argument: str) -> bool:
    """Whether the process was started with that argument."""
    try:
        return argument.encode() in (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def find_by_argument(argument: str) -> ProcessIdentity | None:
    """A session's leader that was started with that argument. Its children may carry it too before they exec."""
    for pid in _pids():
        stat = _stat(pid)
        if stat is not None and stat.session == pid and has_argument(pid, argument):
            return identify(pid)
    return None


def terminate_group(identity: ProcessIdentity) -> None:
    """Ask the process and its group to end (SIGTERM)."""
    if is_alive(identity):
        _signal(-identity.pid, signal.SIGTERM)


def kill_session(identity: ProcessIdentity) -> int:
    """SIGKILL every process of the session that this one leads or led; returns how many there were.

    Children may have left the group, so the session is what counts. Its number cannot have been given to another process
    while one of them lives; if a stranger bears it now, nobody is left.
    """
    if identity.boot_id != boot_id():
        return 0
    holder = _stat(identity.pid)
    if holder is not None and holder.start_ticks != identity.start_ticks:
        return 0
    members = [pid for pid in _pids() if _is_member(pid, identity)]
    for pid in members:
        _signal(pid, signal.SIGKILL)
    return len(members)


def kill_inside(folder: Path) -> int:
    """SIGKILL every process that works in the folder and has no terminal; returns how many there were.

    Finds what is left of a worker whose number nobody wrote down: children inherit its folder. A person's shell has a terminal.
    """
    members = [pid for pid in _pids() if _works_in(pid, folder)]
    for pid in members:
        _signal(pid, signal.SIGKILL)
    return len(members)


class _Stat(NamedTuple):
    state: str
    session: int
    terminal: int
    start_ticks: int


def _is_member(pid: int, leader: ProcessIdentity) -> bool:
    stat = _stat(pid)
    return (
        stat is not None
        and stat.session == leader.pid
        and stat.start_ticks >= leader.start_ticks
        and stat.state not in "ZX"
    )


def _works_in(pid: int, folder: Path) -> bool:
    try:
        is_there = (PROC / str(pid) / "cwd").readlink() == folder
    except OSError:
        return False
    stat = _stat(pid)
    return is_there and stat is not None and stat.terminal == 0 and stat.state not in "ZX"


def _stat(pid: int) -> _Stat | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The second field is the program's name in brackets, and may hold anything, brackets too.
    words = text[text.rindex(")") + 2 :].split()
    return _Stat(state=words[0], session=int(words[3]), terminal=int(words[4]), start_ticks=int(words[19]))


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
