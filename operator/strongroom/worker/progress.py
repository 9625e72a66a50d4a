"""Progress lines on stdout: a few a second at most, and one whenever the stage changes."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TextIO

from strongroom.api.restoring import RestoreStep
from strongroom.api.result import Stage
from strongroom.api.workloads import Ask, WorkerLine

_SECONDS = 0.5


@dataclass(frozen=True)
class _Position:
    stage: Stage = "Connect"
    source: str | None = None
    database: str | None = None


@dataclass
class ProgressLines:
    """Says where the work is. Counting is cheap: most calls write nothing."""

    output: TextIO
    expected_bytes: int | None = None
    read_bytes: int = 0
    stored_bytes: int = 0
    steps: list[RestoreStep] = field(default_factory=list)
    """Steps of a restore so far; said with the next line."""
    _position: _Position = field(default_factory=_Position)
    _next: float = 0.0

    def enter(self, stage: Stage, source: str | None = None, database: str | None = None) -> None:
        """Say that a stage begins."""
        self._position = replace(self._position, stage=stage, source=source, database=database)
        self._say()

    def count(self, *, read: int = 0, stored: int = 0) -> None:
        """Add bytes, and say so if nothing was said for a while."""
        self.read_bytes += read
        self.stored_bytes += stored
        if time.monotonic() >= self._next:
            self._say()

    def ask(self, ask: Ask) -> None:
        """Say what is waited for."""
        self._say(ask)

    def _say(self, ask: Ask | None = None) -> None:
        self._next = time.monotonic() + _SECONDS
        line = WorkerLine(
            stage=self._position.stage,
            source=self._position.source,
            database=self._position.database,
            read_bytes=self.read_bytes,
            stored_bytes=self.stored_bytes,
            expected_bytes=self.expected_bytes,
            steps=self.steps,
            time=datetime.now(UTC),
            ask=ask,
        )
        try:
            print(line.model_dump_json(by_alias=True, exclude_none=True), file=self.output, flush=True)
        except OSError:  # nobody listens any more: that is no reason to lose a backup
            self._fall_silent()

    def _fall_silent(self) -> None:
        """Give up the output. What it still buffers would fail once more at the end and change the exit code."""
        with suppress(OSError):
            output = self.output.fileno()
            silence = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(silence, output)
            os.close(silence)
