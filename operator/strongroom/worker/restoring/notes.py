"""What the next worker of the same restore has to know, if this one is killed: a file beside the journal of services."""

import logging
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from strongroom.api.fields import Message, StrictFields

_NAME = "restore.json"
_LARGEST_BYTES = 1 << 20

log = logging.getLogger(__name__)


class Ran(StrictFields):
    """A container that ran before anything was stopped."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")] = Field(description="Its id.")
    name: Annotated[str, Field(max_length=253)] = Field(description="Its name, for people.")


class Note(StrictFields):
    """How far it has come, where names and states do not tell."""

    run_uid: Annotated[str, Field(max_length=64)] = Field(
        default="", description="Identity of the order: a note of another one tells nothing."
    )
    phase: Literal["Going", "RollingBack", "Done"] = Field(
        default="Going",
        description="RollingBack: it has failed, and what was exchanged is put back. Done: it has succeeded; what is left is to clear up.",
    )
    ran: Annotated[list[Ran], Field(max_length=1000)] | None = Field(
        default=None, description="What ran when services were first stopped; none: nothing was stopped yet."
    )
    reason: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Why it has failed."
    )
    message: Message | None = Field(default=None, description="The same in words.")


class Notebook:
    """One note. Every change is durable on return. Without a folder it lasts as long as this process."""

    def __init__(self, folder: Path | None, run_uid: str) -> None:
        """Read what an earlier worker of that order has left."""
        self._path = None if folder is None else folder / _NAME
        found = self._read()
        self.note = found if found.run_uid == run_uid else Note(run_uid=run_uid)

    def write(self, **changes: object) -> None:
        """Change some of it."""
        self.note = self.note.model_copy(update=changes)
        if self._path is None:
            return
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        temporary = self._path.with_suffix(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(self.note.model_dump_json(by_alias=True, exclude_none=True).encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _read(self) -> Note:
        if self._path is None:
            return Note()
        try:
            return Note.model_validate_json(self._path.read_bytes()[:_LARGEST_BYTES])
        except FileNotFoundError:
            return Note()
        except (OSError, ValidationError) as error:
            log.error("%s cannot be read and is begun anew: %s", self._path, type(error).__name__)  # noqa: TRY400 - its text may be anything
            return Note()
