import json

import pytest

from strongroom.agent import outputs
from strongroom.agent.outputs import last_words, read_progress, read_result, shorten
from strongroom.agent.redaction import Redactor, redactor_of

NOTHING = Redactor(())
LINE = {"stage": "Dump", "time": "2026-11-22T02:00:00Z"}
RESULT = {
    "runUid": "r",
    "outcome": "Failed",
    "reason": "DumpFailed",
    "message": "fatal: hunter22 is wrong",
    "startedAt": "2026-11-22T02:00:00Z",
    "finishedAt": "2026-11-22T02:00:01Z",
}


def test_the_last_whole_and_valid_progress_line_counts(tmp_path):
    file = tmp_path / "progress"
    assert read_progress(file) is None
    lines = [json.dumps(LINE | {"readBytes": n}) for n in range(3)]
    file.write_text("\n".join([*lines, "noise", '{"stage": "Dump", "readBy']))
    assert read_progress(file).read_bytes == 2


def test_progress_is_found_at_the_end_of_a_large_file(tmp_path):
    file = tmp_path / "progress"
    file.write_text("x" * 10**6 + "\n" + json.dumps(LINE) + "\n")
    assert read_progress(file).stage == "Dump"


def test_an_output_that_grows_without_end_is_emptied_under_its_writer(tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "LARGEST_OUTPUT", 10)
    with (tmp_path / "log").open("ab") as writer:
        writer.write(b"x" * 11)
        writer.flush()
        shorten(tmp_path / "log")
        writer.write(b"after")
    assert (tmp_path / "log").read_bytes() == b"after"
    shorten(tmp_path / "none")


def test_last_words_are_bounded_and_without_secrets(tmp_path):
    file = tmp_path / "log"
    file.write_text("a\n" * 5000 + "the password hunter22\nis wrong\n")
    words = last_words(file, Redactor([b"hunter22\n"]))
    assert words.endswith("the password [secret] is wrong")
    assert len(words) == 256


def test_a_result_of_this_order_is_read_without_secrets(tmp_path):
    file = tmp_path / "result"
    file.write_text(json.dumps(RESULT))
    assert read_result(file, "r", Redactor([b"hunter22"])).message == "fatal: [secret] is wrong"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "left no result"),
        (b"", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"outcome": "Succeeded"}', "cannot be read"),
        (json.dumps(RESULT | {"extra": 1}).encode(), "cannot be read"),
        (json.dumps(RESULT | {"runUid": "s"}).encode(), "of another order"),
        (b" " * 300_000, "larger than"),
    ],
)
def test_anything_else_is_no_result(tmp_path, content, complaint):
    file = tmp_path / "result"
    if content is not None:
        file.write_bytes(content)
    assert complaint in read_result(file, "r", NOTHING)


def test_a_key_of_many_lines_is_masked_line_by_line(tmp_path):
    (tmp_path / "pg").mkdir()
    (tmp_path / "pg" / "key").write_text("-----BEGIN-----\nabcdefgh\nijklmnop\n-----END-----\n")
    assert (
        redactor_of(tmp_path, tmp_path / "order.json").text("got abcdefgh ijklmnop")
        == "got [secret] [secret]"
    )
    assert redactor_of(tmp_path / "none", tmp_path / "order.json").text("same") == "same"


def test_a_very_short_value_does_not_blank_out_everything():
    assert Redactor([b"a"]).json({"a": ["banana", 1, None]}) == {"a": ["banana", 1, None]}
