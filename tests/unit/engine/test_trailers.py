"""The trailer of an exec: only a whole one counts."""

import pytest

from strongroom.engine.trailers import Lines, Trailer, parse_trailer

NONCE = "0123456789abcdef"
WHOLE = f"some words\n{NONCE} status 0 copied 0 bytes 12 sha256 abc end\n".encode()


def test_a_whole_trailer_is_read_wherever_its_words_stand() -> None:
    turned = f"\n{NONCE} sha256 abc bytes 12 status 0 copied 0 end\n".encode()
    expected = Trailer(exit_code=0, copied=True, size_bytes=12, sha256="abc")
    assert parse_trailer(WHOLE, NONCE) == parse_trailer(turned, NONCE) == expected


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_no_part_of_a_trailer_is_one(length: int) -> None:
    assert parse_trailer(WHOLE[:length], NONCE) is None


@pytest.mark.parametrize(
    "words",
    [
        "copied 0 bytes 12 sha256 abc",
        "status x copied 0 bytes 12 sha256 abc",
        "status 0 copied 0 bytes many sha256 abc",
    ],
)
def test_what_is_not_understood_is_no_trailer(words: str) -> None:
    assert parse_trailer(f"\n{NONCE} {words} end\n".encode(), NONCE) is None


@pytest.mark.parametrize(
    "words",
    [
        "status 0 bytes 12 sha256 abc",
        "status 0 copied 137 bytes 12 sha256 abc",
        "status 0 copied 0 sha256 abc",
        "status 0 copied 0 bytes 11 sha256 abc",
        "status 0 copied 0 bytes 12 sha256 abd",
        "status 0 copied 0 bytes 12",
    ],
)
def test_a_stream_fits_only_what_was_counted_to_the_end(words: str) -> None:
    trailer = parse_trailer(f"\n{NONCE} {words} end\n".encode(), NONCE)
    assert trailer is not None
    assert not trailer.fits(12, "abc")


def test_the_trailer_of_another_program_is_not_ours() -> None:
    assert parse_trailer(WHOLE, "f" * 16) is None


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_every_line_before_the_trailer_is_heard_whole(step: int) -> None:
    said = b"first\n\nsecond \xff\nwithout a break" + WHOLE.removeprefix(b"some words")
    heard: list[bytes] = []
    lines = Lines(NONCE, heard.append)
    for start in range(0, len(said), step):
        lines.write(memoryview(said[start : start + step]))
    assert heard == [b"first\n", b"\n", b"second \xff\n", b"without a break\n"]
