"""GNU tar as the producer: it is told every member by our walk, and all that it says is understood."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.programs.children import Child
from strongroom.sources.files.checks import Ledger
from strongroom.sources.files.confining import confine_thread
from strongroom.sources.files.walking import Tree

_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
_FOLDERS = "/usr/local/bin:/usr/bin:/bin"
_BATCH_BYTES = 64 << 10
OPTIONS = (
    "--format=posix",
    "--numeric-owner",
    "--sparse",
    "--acls",
    "--xattrs",
    "--xattrs-include=*",
    # Times of access and change are of no use in a restore, and would make equal trees differ.
    "--pax-option=delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f",
)
_LISTED = ("--null", "--verbatim-files-from", "--no-unquote", "--no-recursion", "--files-from=-")
_RECORD_BLOCKS = 128


@dataclass(frozen=True)
class Tar:
    """A GNU tar of this machine. `version`: `GNU tar 1.34`."""

    program: str
    version: str


def find_tar() -> Tar:
    """ClientMissing unless there is a GNU tar."""
    program = shutil.which("tar", path=_FOLDERS)
    if program is not None:
        done = subprocess.run(
            [program, "--version"],
            env=_ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if found := re.match(rb"tar \((GNU tar)\) (\d[\w.+-]*)", done.stdout):
            return Tar(program, f"{found[1].decode()} {found[2].decode()}")
    raise StrongroomError(Reason.ClientMissing, f"there is no GNU tar in {_FOLDERS}")


class TarStream:
    """See PlainStream. Every name of the walk goes to tar in a thread; its failure is raised to the reader."""

    def __init__(self, tar: Tar, folder: bytes, ledger: Ledger) -> None:
        """Start tar in `folder`, which the walk's given names are relative to."""
        self._ledger = ledger
        self._source = ledger.walk.source
        self._failure: Exception | None = None
        self._child = _start_tar(tar, folder, ledger)
        self._feeder = threading.Thread(target=self._feed, name="walk", daemon=True)
        self._feeder.start()

    def readinto(self, buffer: memoryview) -> int:
        """See PlainStream; does not wait for the end once something could not be read."""
        self._raise_failure()
        return self._child.readinto(buffer)

    def finish(self) -> None:
        """See PlainStream."""
        self._feeder.join()
        code = self._child.wait()
        self._ledger.messages.close()
        self._raise_failure()
        if code < 0:
            raise StrongroomError(
                Reason.DumpIncomplete, f"source {self._source}: tar was ended by signal {-code}"
            )
        if not self._ledger.messages.explains(code):
            words = f"source {self._source}: tar ended with exit code {code} and did not say why"
            raise StrongroomError(Reason.ReadFailed, words)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
        if (words := self._ledger.messages.failure) is not None:
            raise StrongroomError(Reason.ReadFailed, f"source {self._source}: {words}")

    def _feed(self) -> None:
        try:
            self._write_names()
        except BrokenPipeError:
            pass  # tar has ended; its exit code says why
        except Exception as error:  # noqa: BLE001 - carried over to the reader, who raises it
            self._failure = error
        finally:
            self._child.close_stdin()

    def _write_names(self) -> None:
        batch = bytearray()
        for name in self._ledger.walk:
            batch += name
            batch.append(0)
            if len(batch) >= _BATCH_BYTES:
                self._child.write(batch)
                batch.clear()
        self._child.write(batch)

    def __enter__(self) -> Self:
        """See PlainStream."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End tar and the walk. The pipe is closed only when nobody can write to it any more."""
        self._ledger.walk.is_ended = True
        self._child.kill()
        self._feeder.join()
        self._child.__exit__(kind, error, trace)


def _start_tar(tar: Tar, folder: bytes, ledger: Ledger) -> Child:
    trees = ledger.walk.trees
    argv = [tar.program, *tar_options(trees)]

    def confine() -> None:
        confine_thread([tree.path for tree in trees])

    try:
        return Child(
            argv, _ENVIRONMENT, stdin=True, folder=folder, hear=ledger.messages.hear, prepare=confine
        )
    except OSError as error:
        raise StrongroomError(Reason.ReadFailed, f"source {ledger.walk.source}: {error}") from error


def tar_options(trees: Sequence[Tree]) -> list[str]:
    """What tar is told, without its own name: names come on stdin, the archive goes to stdout."""
    return [
        "--create",
        "--file=-",
        f"--blocking-factor={_RECORD_BLOCKS}",
        "--quoting-style=c",
        *OPTIONS,
        *(rename_option(tree) for tree in trees if tree.given != tree.stored),
        *_LISTED,
    ]


def rename_option(tree: Tree) -> str:
    """Have the tree stored under another name than it was given; targets of symbolic links stay as they are."""
    given = re.sub(rb"([][.*^$\\,])", rb"\\\1", tree.given)
    stored = re.sub(rb"([&\\,])", rb"\\\1", tree.stored)
    return os.fsdecode(rb"--transform=flags=rhS;s,^%s\(/\|$\),%s\1," % (given, stored))
