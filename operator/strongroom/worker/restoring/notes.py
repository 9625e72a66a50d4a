"""What the next worker of the same restore has to know, if this one is killed: a file beside the journal of services.

In a cluster nothing of a pod outlives it: there the operator keeps the note, with the Job.
"""

import logging
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from strongroom.api.fields import Message, Sha256, StrictFields
from strongroom.api.manifest import Manifest
from strongroom.worker.asking import Asking

_NAME = "restore.json"
_POINT = "recovery-point.json"
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
    overwritten: Annotated[list[str], Field(max_length=128)] = Field(
        default_factory=list,
        description="What was restored over, or was about to be, in words: nothing can put that back.",
    )
    reason: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Why it has failed."
    )
    message: Message | None = Field(default=None, description="The same in words.")


class RememberedPoint(StrictFields):
    """The recovery point that is restored."""

    prefix: Annotated[str, Field(max_length=512)] = Field(description="Its key prefix.")
    manifest: Manifest = Field(description="Its manifest, as it was proved.")
    manifest_sha256: Sha256 = Field(description="SHA-256 of the manifest's bytes.")


class Notebook:
    """One note, and what is restored. Every change is durable on return. Without a folder it lasts as long as this process.

    Where the operator keeps it, HookFailed tells that it does not answer; what is restored is not remembered there.
    """

    def __init__(self, folder: Path | None, run_uid: str, asking: Asking | None = None) -> None:
        """Read what an earlier worker of that order has left."""
        self._folder = folder
        self._asking = asking
        found = self._read()
        self.note = found if found.run_uid == run_uid else Note(run_uid=run_uid)

    @property
    def lasts(self) -> bool:
        """Whether the next worker will know."""
        return self._folder is not None or self._asking is not None

    @property
    def is_blank(self) -> bool:
        """Whether no worker of that order has begun: each writes down what it restores before it does anything."""
        if self._folder is None or self._asking is not None:
            return False
        return not any((self._folder / name).exists() for name in (_NAME, _POINT))

    def write(self, **changes: object) -> None:
        """Change some of it."""
        note = self.note.model_copy(update=changes)
        text = note.model_dump_json(by_alias=True, exclude_none=True)
        if self._folder is not None:
            _write(self._folder / _NAME, text.encode())
        elif self._asking is not None and note != self.note:
            self._asking.ask("Remember", text)
        self.note = note

    def remember(self, point: RememberedPoint) -> None:
        """What is restored, so that it can be put back although no store answers any more."""
        if self._folder is not None and self.recall() != point:
            _write(self._folder / _POINT, point.model_dump_json(by_alias=True, exclude_none=True).encode())

    def recall(self) -> RememberedPoint | None:
        """What `remember` was given, by this worker or an earlier one of the same order."""
        if self._folder is None:
            return None
        try:
            return RememberedPoint.model_validate_json((self._folder / _POINT).read_bytes())
        except (OSError, ValidationError):
            return None

    def _read(self) -> Note:
        if self._asking is not None:
            return _parse(self._asking.ask("Recall").note)
        if self._folder is None:
            return Note()
        path = self._folder / _NAME
        try:
            return Note.model_validate_json(path.read_bytes()[:_LARGEST_BYTES])
        except FileNotFoundError:
            return Note()
        except (OSError, ValidationError) as error:
            log.error("%s cannot be read and is begun anew: %s", path, type(error).__name__)  # noqa: TRY400 - its text may be anything
            return Note()


def _parse(text: str | None) -> Note:
    """Anybody who may change the Job may have written it: what is no note is none."""
    try:
        return Note.model_validate_json(text or "{}")
    except ValidationError:
        log.error("what an earlier worker has noted cannot be read and is begun anew")  # noqa: TRY400 - its text may be anything
        return Note()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = path.with_suffix(".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
