"""A worker in a cluster asks by a line of its log and is answered by a file."""

import io
import threading
from pathlib import Path
from typing import Self

import pytest

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.workloads import Answer, WorkerLine, Workload
from strongroom.worker.asking import Asking
from strongroom.worker.progress import ProgressLines
from strongroom.worker.restoring.notes import Notebook
from strongroom.worker.restoring.workloads import Workloads


class Operator:
    """Answers as the operator does: whatever the last line asks, once."""

    def __init__(self, folder: Path, refuses: str | None = None) -> None:
        self.said = io.StringIO()
        self.answers = folder / "answer.json"
        self.asked: list[str] = []
        self.note: str | None = None
        self.refuses = refuses
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.answer, daemon=True)

    def answer(self) -> None:
        answered = 0
        while not self.over.wait(0.01):
            lines = self.said.getvalue().splitlines()
            ask = WorkerLine.model_validate_json(lines[-1]).ask if lines else None
            if ask is None or ask.number <= answered:
                continue
            answered = ask.number
            self.asked.append(ask.about)
            if ask.about == "Remember":
                self.note = ask.note
            done = ask.about != self.refuses
            answer = Answer(number=ask.number, done=done, message=None if done else "no", note=self.note)
            self.answers.write_text(answer.model_dump_json(by_alias=True))

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def asking(self, *, hurried: bool = False, patience_seconds: float = 60) -> Asking:
        return Asking(ProgressLines(self.said), self.answers, lambda: hurried, patience_seconds)


WEB = Workload(kind="Deployment", name="web")


def test_what_one_worker_has_noted_the_next_one_knows(tmp_path):
    with Operator(tmp_path) as operator:
        Notebook(None, "uid", operator.asking()).write(phase="RollingBack", reason="HealthCheckFailed")
    with Operator(tmp_path) as later:
        later.note = operator.note
        note = Notebook(None, "uid", later.asking()).note
        assert (note.phase, note.reason) == ("RollingBack", "HealthCheckFailed")
        assert Notebook(None, "another", later.asking()).note.phase == "Going"


def test_nothing_is_asked_for_a_note_that_says_nothing_new(tmp_path):
    with Operator(tmp_path) as operator:
        notebook = Notebook(None, "uid", operator.asking())
        notebook.write(phase="Going")
        notebook.write(phase="Done")
    assert operator.asked == ["Recall", "Remember"]


def test_a_note_that_nobody_takes_is_not_believed_to_be_written(tmp_path):
    with Operator(tmp_path, refuses="Remember") as operator:
        notebook = Notebook(None, "uid", operator.asking())
        with pytest.raises(StrongroomError):
            notebook.write(overwritten=["x"])
    assert notebook.note.overwritten == []


def test_a_note_that_is_none_is_begun_anew(tmp_path):
    with Operator(tmp_path) as operator:
        operator.note = '{"phase": "Elsewhere"}'
        assert Notebook(None, "uid", operator.asking()).note.phase == "Going"


def test_services_are_stopped_and_started_by_asking_alone(tmp_path):
    with Operator(tmp_path) as operator:
        services = Workloads(operator.asking(), [WEB])
        assert services.find() == ["deployment/web"]
        services.stop()
        services.start()
    assert operator.asked == ["StopServices", "StartServices"]


def test_a_refusal_is_the_failure_in_the_operators_words(tmp_path):
    with Operator(tmp_path, refuses="StopServices") as operator:
        with pytest.raises(StrongroomError, match="no") as raised:
            Workloads(operator.asking(), [WEB]).stop()
        assert raised.value.reason is Reason.HookFailed
        # Told to end, it must put back the old before it is killed.
        Workloads(operator.asking(hurried=True), [WEB]).stop()


def test_an_operator_that_is_away_is_not_waited_for_for_ever(tmp_path):
    asking = Operator(tmp_path).asking(patience_seconds=0.2)
    with pytest.raises(StrongroomError, match="has not answered"):
        asking.ask("Recall")


def test_an_old_answer_answers_no_new_ask(tmp_path):
    operator = Operator(tmp_path)
    operator.answers.write_text(Answer(number=7, done=True).model_dump_json(by_alias=True))
    with pytest.raises(StrongroomError, match="has not answered"):
        operator.asking(patience_seconds=0.2).ask("StopServices")


def test_services_without_anybody_to_ask_are_a_fault_of_the_order():
    with pytest.raises(StrongroomError) as raised:
        Workloads(None, [WEB]).stop()
    assert raised.value.reason is Reason.InvalidOrder
