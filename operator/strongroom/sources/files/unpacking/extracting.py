"""GNU tar as the consumer: what the guard has let through becomes files below one folder, and nowhere else."""

import os
from dataclasses import dataclass
from typing import Self

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.programs.children import Child
from strongroom.sources.files.archiving import Tar
from strongroom.sources.files.confining import confine_writing
from strongroom.sources.files.unpacking.remarks import Remarks
from strongroom.sources.reading import Chunk

_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC0"}
TREE = b"tree"
"""What the archive's root becomes inside the folder."""
_INTO_TREE = r"--transform=flags=rhS;s,^\./\?$,tree,;s,^\./,tree/,"
_INTO_NEW = r"--transform=flags=rhS;s,^,tree/,"
_CAPABILITY = "security.capability"


@dataclass(frozen=True)
class Rights:
    """What is given back. `owners`: only root can. `special`: devices, and what gives programs rights.

    `is_tree`: as in Limits.
    """

    owners: bool
    special: bool
    is_tree: bool = True


def tar_options(rights: Rights) -> list[str]:
    """What tar is told, without its own name: the archive comes on stdin.

    What is there already is never overwritten; the tree itself is made by tar, so that its own attributes come back, too.
    """
    return [
        "--extract",
        "--file=-",
        "--quoting-style=c",
        "--keep-old-files",
        "--preserve-permissions",
        "--numeric-owner",
        "--same-owner" if rights.owners else "--no-same-owner",
        "--delay-directory-restore",
        "--acls",
        "--xattrs",
        "--xattrs-include=*",
        *([] if rights.special else [f"--xattrs-exclude={_CAPABILITY}"]),
        _INTO_TREE if rights.is_tree else _INTO_NEW,
    ]


class Extraction:
    """A program that makes files of a stream. Leaving the context ends it; what it has made stays."""

    def __init__(self, tar: Tar, folder: bytes, rights: Rights) -> None:
        """Start tar in `folder`, an absolute path without links."""
        self.remarks = Remarks()
        try:
            self._child = Child(
                [tar.program, *tar_options(rights)],
                _ENVIRONMENT,
                stdin=True,
                folder=folder,
                hear=self.remarks.hear,
                prepare=lambda: confine_writing(folder, devices=rights.special),
            )
        except OSError as error:
            raise StrongroomError(Reason.RestoreFailed, f"{os.fsdecode(folder)}: {error}") from error

    def write(self, chunk: Chunk) -> None:
        """Take the whole chunk. RestoreFailed or NotEnoughSpace when tar has ended, or cannot write."""
        try:
            self._child.write(chunk)
        except BrokenPipeError:
            self.finish()
            raise StrongroomError(Reason.RestoreFailed, "tar ended before the archive did") from None
        self.remarks.raise_failure()

    def finish(self) -> None:
        """That was all: raise unless every member was extracted."""
        self._child.close_stdin()
        code = self._child.wait()
        self.remarks.close()
        self.remarks.raise_failure()
        if code:
            words = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise StrongroomError(
                Reason.RestoreFailed, f"tar ended with {words}: {excerpt(self._child.errors())}"
            )

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def end(self) -> None:
        """End tar. Idempotent."""
        self._child.__exit__(None, None, None)

    def __exit__(self, *_: object) -> None:
        """End tar."""
        self.end()
