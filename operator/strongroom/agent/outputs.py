"""What a worker leaves in files: its last progress, its last words, its result. Everything is bounded."""

import json
import os
from pathlib import Path

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
        if path.stat().st_size > LARGEST_OUTPUT:
            os.truncate(path, 0)
    except FileNotFoundError:
        return


def read_result(path: Path, run_uid: str, redactor: Redactor) -> WorkResult | str:
    """The worker's result without secrets, or in words what is wrong with what it left."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_RESULT_BYTES + 1)
    except FileNotFoundError:
        return "it left no result"
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
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - READ_BYTES))
            return file.read(READ_BYTES)
    except FileNotFoundError:
        return b""
