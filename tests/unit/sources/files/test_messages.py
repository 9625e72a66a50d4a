"""Each message of tar is understood for what it is; one that is not known is a failure."""

import pytest

from strongroom.sources.files.checks import describe_changes
from strongroom.sources.files.messages import Messages


def hear(text: str, step: int = 7) -> Messages:
    messages = Messages()
    said = text.encode()
    for start in range(0, len(said), step):
        messages.hear(said[start : start + step])
    messages.close()
    return messages


@pytest.mark.parametrize("program", ["tar", "/usr/bin/tar"])
def test_changed_and_absent_files_are_told_apart(program: str) -> None:
    messages = hear(
        f'{program}: "./grown": file changed as we read it\n'
        f'{program}: "./shrunk": File shrank by 10 bytes; padding with zeros\n'
        f'{program}: "./shrunk": file changed as we read it\n'
        f'{program}: "./gone\\n\\377\\"": Cannot stat: No such file or directory\n'
        f'{program}: "./other": File removed before we read it\n'
        f"{program}: Exiting with failure status due to previous errors\n"
    )
    assert messages.failure is None
    assert messages.changed.first == [
        "./grown: changed while it was read",
        "./shrunk: changed while it was read",
        './gone\\n\\xff": vanished before it was read',
        "./other: vanished before it was read",
    ]
    assert (messages.absent, messages.absent_names) == (2, hash(b'./gone\n\xff"') + hash(b"./other"))


def test_a_file_that_lost_a_single_byte_has_shrunk_too() -> None:
    messages = hear('tar: "./a": File shrank by 1 byte; padding with zeros\n')
    assert (messages.changed.count, messages.absent, messages.failure) == (1, 0, None)


@pytest.mark.parametrize(
    "words",
    [
        "Cannot stat: Not a directory",
        "Cannot open: Too many levels of symbolic links",
        "Cannot open: No such device or address",
    ],
)
def test_what_became_something_else_just_before_it_was_opened_is_absent(words: str) -> None:
    messages = hear(f'tar: "./a": {words}\n')
    assert (messages.changed.count, messages.absent, messages.failure) == (1, 1, None)


@pytest.mark.parametrize(
    "line",
    [
        'tar: "./secret": Cannot open: Permission denied',
        'tar: "./bad": Read error at byte 0, while reading 512 bytes: Input/output error',
        "tar: memory exhausted",
        'tar: "./x": something that no version has said yet',
        'sh: tar: "not the program that was started"',
    ],
)
def test_everything_else_is_a_failure(line: str) -> None:
    assert hear(f"{line}\n").failure is not None


def test_the_longest_names_leave_room_for_what_is_said_of_them() -> None:
    told = describe_changes(7, [f"./{'n' * 4000}: changed while it was read"] * 7)
    assert len(told) < 1000
    assert told.startswith("7 files changed")
    assert told.count("n: changed while it was read") == 5
    assert told.endswith("and 2 more")


@pytest.mark.parametrize(
    ("text", "code", "is_explained"),
    [
        ("", 0, True),
        ("", 1, False),
        ("", 2, False),
        ('tar: "./a": file changed as we read it\n', 1, True),
        ('tar: "./a": file changed as we read it\n', 2, False),
        ('tar: "./a": Cannot stat: No such file or directory\n', 2, True),
        ('tar: "./a": Cannot open: Permission denied\n', 2, False),
    ],
)
def test_an_exit_code_must_be_accounted_for(text: str, code: int, is_explained: bool) -> None:
    assert hear(text).explains(code) is is_explained


def test_a_socket_that_tar_meets_is_skipped() -> None:
    messages = hear('tar: "./s": socket ignored\n')
    assert (messages.skipped.first, messages.absent) == (["./s: socket"], 1)
