"""What must be undone to services, written down before it is done: files that outlive the process, the Engine and a power cut.

A journal is a folder of small files, one entry each, named by their number. It is read by a process with more rights than
the one that wrote it, so an entry names a container or a command of the order, and never holds a command itself.
"""

import logging
import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from strongroom.api.fields import Name, StrictFields, Time

LARGEST_ENTRY_BYTES = 16_384
MOST_ENTRIES = 4096

_ENTRY = re.compile(r"[0-9]{6,9}\.json")

Phase = Literal["after", "on_failure"]
"""Lists of commands that are owed from the moment that hooks begin."""

log = logging.getLogger(__name__)


class CommandReference(StrictFields):
    """A command of the work order, by its place in there."""

    source: Name | None = Field(default=None, description="Source whose hooks hold it; none: the order's.")
    phase: Phase = Field(description="Which list of the hooks.")
    index: Annotated[int, Field(ge=0, le=15)] = Field(description="Its place in that list.")


class Taken(StrictFields):
    """What is done to one container, and what it was before."""

    action: Literal["Stop", "Pause"] = Field(description="What is done.")
    container: Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")] = Field(description="Its id.")
    name: Annotated[str, Field(max_length=253, pattern=r"^[a-zA-Z0-9_.-]*$")] = Field(
        description="Its name, for people."
    )
    state: Annotated[str, Field(max_length=32)] = Field(
        description="State before: only what was running is put back."
    )
    started_at: Annotated[str, Field(max_length=64)] = Field(
        description="When it was started, as the Engine says it: tells one life of a container from the next."
    )
    settle_seconds: Annotated[float, Field(ge=0, le=31_536_000)] = Field(
        description="How long the Engine may be at it after it was asked, even if the one who asked is gone."
    )
    asked_at: Time | None = Field(default=None, description="When the Engine was about to be asked.")
    done: bool = Field(default=False, description="Whether the Engine has said that it is done.")


class Entry(StrictFields):
    """One thing to undo: something done to a container, or a command that is owed."""

    number: Annotated[int, Field(ge=1)] = Field(
        description="Entries are undone from the highest to the lowest."
    )
    recorded_at: Time = Field(description="When it was written.")
    taken: Taken | None = Field(default=None, description="What is done to a container.")
    command: CommandReference | None = Field(default=None, description="The command that is owed.")

    @model_validator(mode="after")
    def _one_thing(self) -> "Entry":
        if (self.taken is None) == (self.command is None):
            raise ValueError("needs either taken or command")
        return self


class Journal:
    """The entries in one folder. Every change is durable when the call returns. One process writes at a time."""

    def __init__(self, folder: Path) -> None:
        """The folder is made with the first entry."""
        self._folder = folder

    def entries(self) -> list[Entry]:
        """What is to be undone, in the order in which it is undone. What is not an entry is logged and passed over."""
        found = (_read(path) for path in self._paths())
        return sorted((e for e in found if e is not None), key=lambda entry: -entry.number)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to undo."""
        return not self.entries()

    def owe(self, command: CommandReference) -> Entry:
        """Write that a command is to be run."""
        return self._add(Entry(number=self.next_number, recorded_at=datetime.now(UTC), command=command))

    def record(self, taken: Taken) -> Entry:
        """Write what is to be done to a container, and what it is. To be called for all before anything is done to one."""
        return self._add(Entry(number=self.next_number, recorded_at=datetime.now(UTC), taken=taken))

    def ask(self, entry: Entry) -> Entry:
        """Write that the Engine is asked next. To be called before it is."""
        return self._update(entry, asked_at=datetime.now(UTC))

    def confirm(self, entry: Entry) -> Entry:
        """Write that the Engine has done it."""
        return self._update(entry, done=True)

    def remove(self, entry: Entry) -> None:
        """Write that it is undone. Idempotent."""
        self._path(entry.number).unlink(missing_ok=True)
        _sync(self._folder)

    @property
    def next_number(self) -> int:
        """Number of the entry that would be written next."""
        return max((int(path.stem) for path in self._paths()), default=0) + 1

    def _paths(self) -> list[Path]:
        try:
            found = [path for path in self._folder.iterdir() if self._is_entry(path)]
        except FileNotFoundError:
            return []
        return found[:MOST_ENTRIES]

    def _is_entry(self, path: Path) -> bool:
        """Whether the name is the one that we give: under any other, an entry could not be removed."""
        return _ENTRY.fullmatch(path.name) is not None and path == self._path(int(path.stem))

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.json"

    def _update(self, entry: Entry, **changes: object) -> Entry:
        taken = entry.taken and entry.taken.model_copy(update=changes)
        return self._add(entry.model_copy(update={"taken": taken}))

    def _add(self, entry: Entry) -> Entry:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700)
            _sync(self._folder.parent)
        path = self._path(entry.number)
        temporary = path.with_suffix(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(entry.model_dump_json(by_alias=True, exclude_none=True).encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync(self._folder)
        return entry


def _read(path: Path) -> Entry | None:
    """The entry, or None when it is not one: a link, a pipe, too large, or not ours."""
    try:
        entry = Entry.model_validate_json(_content(path))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.error("%s is not an entry of a journal and is passed over: %s", path, type(error).__name__)  # noqa: TRY400  its text may be anything
        return None
    if entry.number != int(path.stem):
        log.error("%s is the entry of another number and is passed over", path)
        return None
    return entry


def _content(path: Path) -> bytes:
    # A pipe or a link in the place of a file must neither hold us up nor lead us elsewhere.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        is_file = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        return file.read(LARGEST_ENTRY_BYTES) if is_file else b""


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
