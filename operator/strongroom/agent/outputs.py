"""What a worker leaves in files: its last progress, its last words, its result. Everything is bounded.

A worker in a container may have been turned against us: a link or a pipe in the place of a file is no file.
"""

import json
import os
import stat
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from strongroom.agent.redaction import Redactor
from strongroom.api.errors import excerpt
from strongroom.api.result import LARGEST_RESULT_BYTES, Progress, WorkResult

READ_BYTES = 65_536
LARGEST_OUTPUT = 4 * 2**20
"""A progress or log file that has grown to this is emptied: the worker appends, so its next line comes to the start."""


def read_progress(path: Path) -> Progress | None:
    """The last whole, valid progress line, or None."""
    for line in reversed(_tail(path).split(b"\n")[:-1]):
        try:
            return Progress.model_validate_json(line)
        except ValidationError:
            continue
    return None


def last_words(path: Path, redactor: Redactor) -> str:
    """A bounded excerpt of the end of the worker's log, without secrets."""
    return excerpt(redactor.text(_tail(path).decode(errors="replace")))


def shorten(path: Path) -> None:
    """Empty an output file that has grown too large."""
    try:
        with _open(path, os.O_RDWR) as file:
            if os.fstat(file.fileno()).st_size > LARGEST_OUTPUT:
                file.truncate(0)
    except OSError:
        return


def read_result(path: Path, run_uid: str, redactor: Redactor) -> WorkResult | str:
    """The worker's result without secrets, or in words what is wrong with what it left."""
    try:
        with _open(path) as file:
            content = file.read(LARGEST_RESULT_BYTES + 1)
    except FileNotFoundError:
        return "it left no result"
    except OSError:
        return "its result is no file that can be read"
    if len(content) > LARGEST_RESULT_BYTES:
        return f"its result is larger than {LARGEST_RESULT_BYTES} bytes"
    try:
        result = WorkResult.model_validate(redactor.json(json.loads(content)))
    except (ValidationError, ValueError, RecursionError):
        return "its result cannot be read"
    if result.run_uid != run_uid:
        return f"its result is of another order ({excerpt(result.run_uid, 64)})"
    return result


def _tail(path: Path) -> bytes:
    try:
        with _open(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - READ_BYTES))
            return file.read(READ_BYTES)
    except OSError:
        return b""


def _open(path: Path, mode: int = os.O_RDONLY) -> BinaryIO:
    """A plain file; OSError for anything else, without waiting for it."""
    descriptor = os.open(path, mode | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not a file")
    return os.fdopen(descriptor, "rb" if mode == os.O_RDONLY else "r+b")
