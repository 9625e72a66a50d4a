"""A worker as a pod runs it: nothing of it lasts but what it has asked the operator to remember."""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.worker.workshop import Finished, Workshop

from strongroom.api.result import WorkResult
from strongroom.api.workloads import Answer, WorkerLine


@dataclass
class Pods:
    """One Job's workers, one after another, and what the operator has of them: the note, and what was asked."""

    workshop: Workshop
    note: str | None = None
    asked: list[str] = field(default_factory=list)
    answers: int | None = None
    """How many asks are answered; the next one waits. None: all."""

    def start(self, order: dict[str, Any], *, roll_back: bool = False) -> "Pod":
        folder = self.workshop.folder / "pod"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "order.json").write_text(json.dumps(order))
        words = {
            "order": folder / "order.json",
            "secrets": self.workshop.folder / "secrets",
            "result": folder / "result.json",
            "scratch": folder / "scratch",
            "answers": folder / "answer.json",
        }
        options = [word for name, path in words.items() for word in (f"--{name}", str(path))]
        command = [sys.executable, "-m", "strongroom", "worker", *options, *["--roll-back"] * roll_back]
        process = subprocess.Popen(
            command,
            env=self.workshop.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return Pod(self, process, folder)

    def run(self, order: dict[str, Any], *, roll_back: bool = False) -> Finished:
        return self.start(order, roll_back=roll_back).finish()

    def answer(self, line: str, answers: Path) -> None:
        """As the operator does what is asked."""
        ask = WorkerLine.model_validate_json(line).ask
        if ask is None:
            return
        self.asked.append(ask.about)
        if self.answers is not None and len(self.asked) > self.answers:
            return
        if ask.about == "Remember":
            self.note = ask.note
        answer = Answer(number=ask.number, done=True, note=self.note if ask.about == "Recall" else None)
        new = answers.with_suffix(".new")
        new.write_text(answer.model_dump_json(by_alias=True, exclude_none=True))
        new.replace(answers)


class Pod:
    """One of them."""

    def __init__(self, pods: Pods, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._pods, self._process, self._folder = pods, process, folder
        self._stage = threading.Condition()
        self._seen: set[str] = set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._stage:
                self._seen.add(WorkerLine.model_validate_json(line).stage)
                self._stage.notify_all()
            with contextlib.suppress(FileNotFoundError):
                self._pods.answer(line, self._folder / "answer.json")
        with self._stage:
            self._seen.add("over")
            self._stage.notify_all()

    def kill_at(self, stage: str) -> None:
        with self._stage:
            assert self._stage.wait_for(lambda: self._seen & {stage, "over"}, 120)
            assert stage in self._seen
        self._process.kill()
        self._process.wait(60)
        self._reader.join(60)

    def finish(self) -> Finished:
        code = self._process.wait(120)
        self._reader.join(60)
        result = WorkResult.model_validate_json((self._folder / "result.json").read_bytes())
        return Finished(code, result, "", "")
