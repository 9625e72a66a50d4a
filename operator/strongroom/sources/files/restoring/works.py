"""The private folder of one restore beside, or inside of, what it replaces; and what is written there of how far it has come.

.strongroom-restore-<digest>/   mode 0700
tree/     the new; after an exchange in one step, the old
old/      entries of a mount's root that were replaced
late/     what somebody has put in the way meanwhile
    was/, is/ nothing: they bear the attributes of a mount's old and new root
made      the new is whole (JSON)
phase     what is being done entry by entry
plan      what is exchanged file by file
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pydantic import Field, ValidationError

from strongroom.api.fields import StrictFields
from strongroom.api.restoring import CheckResult
from strongroom.sources.files.naming import KEPT_PREFIX
from strongroom.sources.files.removing import remove_tree
from strongroom.sources.files.restoring.renaming import is_inode, sync_folder, times_kept

Phase = Literal["Forward", "Swapped", "Backward"]
Content = TypeVar("Content", bound=StrictFields)


class Made(StrictFields):
    """What was made, so that it is known again under any name."""

    device: int = Field(description="st_dev.")
    inode: int = Field(description="st_ino.")
    file: str | None = Field(
        default=None, description="Name of the single file that was made, if it is one: percent-encoded."
    )
    checks: Annotated[list[CheckResult], Field(max_length=200)] = Field(
        default_factory=list, description="What was compared when it was made."
    )


class Step(StrictFields):
    """What is being done entry by entry."""

    phase: Phase = Field(
        description="Forward: the new goes in. Swapped: it is. Backward: the old goes in again."
    )
    emptied: bool = Field(default=False, description="Whether nothing of the old is left in the root.")


def work_name(request_uid: str, source: str) -> bytes:
    """Name of the private folder: any worker of the same request finds it again."""
    digest = hashlib.sha256(f"{request_uid}\0{source}".encode()).hexdigest()[:12]
    return KEPT_PREFIX + digest.encode()


@dataclass(frozen=True)
class Work:
    """One private folder. Every change is durable on return."""

    folder: bytes

    @property
    def tree(self) -> bytes:
        """The new root, or the folder that holds the new file."""
        return self.folder + b"/tree"

    @property
    def old(self) -> bytes:
        """Where entries go that are replaced."""
        return self.folder + b"/old"

    @property
    def late(self) -> bytes:
        """Where entries go that nobody expected."""
        return self.folder + b"/late"

    @property
    def was(self) -> bytes:
        """Bears the old root's attributes."""
        return self.folder + b"/was"

    @property
    def is_(self) -> bytes:
        """Bears the new root's attributes."""
        return self.folder + b"/is"

    def made(self) -> Made | None:
        """What was made; None while it is unfinished."""
        return _read(self.folder + b"/made", Made)

    def new(self, made: Made) -> bytes:
        """Where the new lies until it is exchanged."""
        return self.tree if made.file is None else self.tree + b"/" + unquote_to_bytes(made.file)

    def holds_new(self, made: Made) -> bool:
        """Whether the new lies here, and not in the old one's place."""
        return is_inode(self.new(made), made.device, made.inode, self.folder)

    def complete(self, checks: Sequence[CheckResult], file: bytes | None) -> None:
        """The new is whole."""
        named = None if file is None else quote_from_bytes(file)
        path = self.tree if file is None else self.tree + b"/" + file
        facts = os.lstat(path)
        made = Made(device=facts.st_dev, inode=facts.st_ino, file=named, checks=list(checks))
        self._write(b"made", made)

    def step(self) -> Step | None:
        """What is being done entry by entry, or was; None before it begins."""
        return _read(self.folder + b"/phase", Step)

    def read_plan(self, kind: type[Content]) -> Content | None:
        """What is exchanged file by file; None before that is known."""
        return _read(self.folder + b"/plan", kind)

    def write_plan(self, plan: StrictFields) -> None:
        """Write it."""
        self._write(b"plan", plan)

    def take_step(self, step: Step) -> None:
        """Write what is done next."""
        self._write(b"phase", step)

    def forget_step(self) -> None:
        """All is as before the first one."""
        os.unlink(self.folder + b"/phase")  # noqa: PTH108 - names are bytes here
        sync_folder(self.folder)

    def remove(self) -> None:
        """All of it, `made` first: what is removed by half is nothing. Idempotent."""
        for name in (b"made", b"phase"):
            try:
                os.unlink(self.folder + b"/" + name)  # noqa: PTH108
            except (FileNotFoundError, NotADirectoryError):
                continue
            sync_folder(self.folder)
        with times_kept(os.path.dirname(self.folder)):  # noqa: PTH120
            remove_tree(self.folder)

    def _write(self, name: bytes, content: StrictFields) -> None:
        path = self.folder + b"/" + name
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(path + b".new", flags, 0o600), "wb") as file:
            file.write(content.model_dump_json(by_alias=True, exclude_none=True).encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + b".new", path)  # noqa: PTH105
        sync_folder(self.folder)


def _read(path: bytes, kind: type[Content]) -> Content | None:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return kind.model_validate_json(file.read())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None
