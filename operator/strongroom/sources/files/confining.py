"""Let a program open certain trees to read them, or write below one folder, and nothing else.

Who may write into a tree while it is read can put a symbolic link in the place of a folder, between our look at it and the
program's opening of a file below: the archive would hold a file from somewhere else, which only root may read. Landlock
(https://docs.kernel.org/userspace-api/landlock.html, Linux 5.13) has the kernel refuse that: it judges where a file lies, not
the name that led there. Where there is none, or a container forbids its use, the program runs as it is.

What extracts an archive may write below its folder alone. For hard links across folders Landlock must be of its second version
(Linux 5.19); with the first one, too, the program runs as it is.
"""

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_HANDLED = (1 << 13) - 1
"""All rights of Landlock's first version: what no rule allows is refused, writing among it."""
_WRITING = sum(1 << bit for bit in (1, 4, 5, 7, 8, 10, 12))
"""Writing to files, removing files and folders, making folders, files, pipes and symbolic links."""
_SOCKETS = 1 << 9
_DEVICES = 1 << 6 | 1 << 11
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_VERSION_FLAG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PROGRAMS = (b"/usr", b"/bin", b"/lib", b"/lib32", b"/lib64", b"/etc/ld.so.cache")
"""Where programs and their libraries are."""

_OF_SERVERS = {
    b"/dev/null": _READ_FILE | _WRITE_FILE,
    b"/dev/urandom": _READ_FILE,
}
_WITHOUT = {errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}
"""The kernel was built without it, or started without it, or the container forbids its use."""

_libc = ctypes.CDLL(None, use_errno=True)


def confine_thread(trees: Sequence[bytes]) -> None:
    """From now on this thread, and what it starts, can open nothing but what lies in the trees, to read it.

    Each tree is an absolute path without symbolic links; OSError for one that has become another, or is gone.
    """
    rules = _create(_HANDLED)
    if rules is not None:
        _restrict(rules, dict.fromkeys(trees, _READ_FILE | _READ_FOLDER))


def confine_writing(folder: bytes, *, devices: bool = False) -> None:
    """From now on this thread, and what it starts, can write below that folder, read it, and open nothing else.

    The folder is named as for `confine_thread`. `devices`: device files may be made, too.
    """
    version = int(_libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG))
    if version < 2:
        return
    more = _REFER | (_TRUNCATE if version >= 3 else 0)
    rules = _create(_HANDLED | more)
    if rules is not None:
        rights = _READ_FILE | _READ_FOLDER | _WRITING | more | (_DEVICES if devices else 0)
        _restrict(rules, {folder: rights})


def confine_server(folder: bytes) -> None:
    """From now on this thread, and what it starts, can write below that folder, read it, and open no other file."""
    version = int(_libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG))
    rules = _create(_HANDLED | _REFER) if version >= 2 else None
    if rules is not None:
        rights = _READ_FILE | _READ_FOLDER | _WRITING | _REFER | _SOCKETS
        _restrict(rules, {folder: rights, **_OF_SERVERS})


def _create(handled: int) -> int | None:
    """A set of rules that allows nothing of what is handled; None where there is no Landlock."""
    packed = struct.pack("=Q", handled)
    rules = int(_libc.syscall(_CREATE_RULESET, packed, len(packed), 0))
    if rules < 0 and ctypes.get_errno() in _WITHOUT:
        return None
    _call(min(rules, 0))
    return rules


def _restrict(rules: int, trees: Mapping[bytes, int]) -> None:
    """Let what lies in each tree be used by its rights, and programs be started; then there is no way back."""
    try:
        for path in filter(os.path.exists, _PROGRAMS):
            _allow(rules, path, _READ_FILE | _READ_FOLDER | _EXECUTE, is_own=True)
        for path, rights in trees.items():
            _allow(rules, path, rights)
        _call(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _call(_libc.syscall(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)


def _allow(rules: int, path: bytes, rights: int, *, is_own: bool = False) -> None:
    """Let what lies there be used. A link in the place of a tree is not followed; one to programs is."""
    tree = os.open(path, os.O_PATH if is_own else os.O_PATH | os.O_NOFOLLOW)
    try:
        found = os.fsencode(Path(f"/proc/self/fd/{tree}").readlink())
        if not is_own and found != path:
            raise OSError(f"{os.fsdecode(path)} has become {os.fsdecode(found)}")
        if not stat.S_ISDIR(os.fstat(tree).st_mode):
            rights &= _READ_FILE | _WRITE_FILE | _EXECUTE
        _call(_libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, tree), 0))
    finally:
        os.close(tree)


def _call(answer: int) -> None:
    if answer != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
