"""Asking the operator, from a pod that has no rights: a line of the log asks, a file that the pod's annotation fills answers."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.workloads import Answer, Ask
from strongroom.worker.progress import ProgressLines

PATIENCE_SECONDS = 900.0
"""An operator that is made anew is back by then."""
HURRIED_SECONDS = 3.0
"""A pod that is to end is asked about, but gets no answer: kubelet fills none of its files any more."""
_LOOK_SECONDS = 0.1
_SAY_AGAIN_SECONDS = 10.0
_LARGEST_BYTES = 65_536


@dataclass(frozen=True)
class Asking:
    """One worker's asks. They are made one after another, by its main thread."""

    progress: ProgressLines
    answers: Path
    is_hurried: Callable[[], bool]
    """Whether the worker is to end, and will be killed if that takes long."""
    patience_seconds: float = PATIENCE_SECONDS
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def ask(
        self,
        about: Literal["Recall", "Remember", "StopServices", "StartServices"],
        note: str | None = None,
    ) -> Answer:
        """The operator's answer that it is done. Raises HookFailed if it is not, or if there is no answer."""
        ask = Ask(number=next(self._numbers), about=about, note=note)
        answer = self._await(ask)
        if not answer.done:
            raise StrongroomError(Reason.HookFailed, answer.message or f"{about}: the operator refuses")
        return answer

    def _await(self, ask: Ask) -> Answer:
        began, say = time.monotonic(), 0.0
        while True:
            answer = self._read()
            if answer is not None and answer.number == ask.number:
                return answer
            patience = (
                min(HURRIED_SECONDS, self.patience_seconds) if self.is_hurried() else self.patience_seconds
            )
            if time.monotonic() > began + patience:
                words = f"{ask.about}: the operator has not answered for {patience:.0f} s"
                raise StrongroomError(Reason.HookFailed, words)
            if time.monotonic() >= say:
                self.progress.ask(ask)
                say = time.monotonic() + _SAY_AGAIN_SECONDS
            time.sleep(_LOOK_SECONDS)

    def _read(self) -> Answer | None:
        try:
            return Answer.model_validate_json(self.answers.read_bytes()[:_LARGEST_BYTES])
        except (OSError, ValidationError):
            return None
