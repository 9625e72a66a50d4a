"""What is told of a tar stream is what Python's own reader finds in it; damage of any kind is told."""

import io
import tarfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.files.tarheaders import parse_records
from strongroom.sources.files.tarscan import Tally, TarScan

NAMES = st.text(
    st.characters(blacklist_characters="\0/", blacklist_categories=["Cs"]), min_size=1, max_size=300
)
KINDS = st.sampled_from(
    [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
)
FORMATS = st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])


def build(members: list[tuple[str, bytes, bytes]], form: int) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form, pax_headers={"comment": "global"}) as archive:
        for name, kind, content in members:
            member = tarfile.TarInfo(f"./{name}")
            member.type, member.linkname = kind, "l" * 150
            member.size = len(content) if kind == tarfile.REGTYPE else 0
            member.mtime = 1.25 if form == tarfile.PAX_FORMAT else 1
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def scan(stream: bytes, step: int = 1 << 20) -> Tally:
    found = TarScan()
    for start in range(0, len(stream), step):
        found.write(memoryview(stream)[start : start + step])
    return found.finish()


@settings(deadline=None)
@given(
    members=st.lists(st.tuples(NAMES, KINDS, st.binary(max_size=1500)), max_size=6),
    form=FORMATS,
    step=st.integers(1, 2000),
)
def test_members_bytes_and_names_are_counted_whatever_the_chunks(
    members: list[tuple[str, bytes, bytes]], form: int, step: int
) -> None:
    found = scan(build(members, form), step)
    sizes = [len(content) for _, kind, content in members if kind == tarfile.REGTYPE]
    names = [f"./{name}".encode() for name, _, _ in members]
    folders = sum(kind == tarfile.DIRTYPE for _, kind, _ in members)
    assert (found.members, found.size_bytes, found.folders) == (len(members), sum(sizes), folders)
    assert found.names == sum(map(hash, names))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_file_too_long_for_octal_digits_is_passed_over_whole(form: int) -> None:
    huge = tarfile.TarInfo("./huge")
    huge.size = 9 << 30
    found, piece = TarScan(), memoryview(bytes(64 << 20))
    found.write(huge.tobuf(form))
    for _ in range(huge.size // len(piece)):
        found.write(piece)
    found.write(build([("after", tarfile.REGTYPE, b"x")], form))
    tally = found.finish()
    assert (tally.members, tally.size_bytes) == (2, (9 << 30) + 1)
    assert tally.names == hash(b"./huge") + hash(b"./after")


WHOLE = build([(f"file {n}", tarfile.REGTYPE, b"x" * 600) for n in range(4)], tarfile.PAX_FORMAT)


@pytest.mark.parametrize("length", range(0, WHOLE.index(bytes(1024)) + 1024, 256))
def test_a_cut_is_told_at_the_border_of_a_member_too(length: int) -> None:
    with pytest.raises(StrongroomError) as caught:
        scan(WHOLE[:length])
    assert caught.value.reason is Reason.DumpIncomplete


@given(position=st.integers(0, 511), bit=st.integers(0, 7))
def test_a_flipped_bit_in_a_header_is_told(position: int, bit: int) -> None:
    broken = bytearray(build([("file", tarfile.REGTYPE, b"x" * 600)], tarfile.GNU_FORMAT))
    broken[position] ^= 1 << bit
    try:
        assert scan(bytes(broken)).members == 1
    except StrongroomError:
        return
    # Only in the checksum's own padding may a bit mean nothing.
    assert 148 <= position < 156


@pytest.mark.parametrize(
    "stream",
    [
        WHOLE + b"x",
        WHOLE + WHOLE,
        bytes(512) + WHOLE,
        b"no tar at all".ljust(512, b"!"),
        b"\xff" * 2048,
    ],
)
def test_what_is_no_single_whole_archive_is_told(stream: bytes) -> None:
    with pytest.raises(StrongroomError):
        scan(stream)


@given(st.binary(max_size=200))
def test_records_that_are_malformed_are_told_and_never_loop(body: bytes) -> None:
    with suppress(StrongroomError):
        assert parse_records(body) or not body


def test_records_may_hold_line_breaks_and_equal_signs() -> None:
    assert parse_records(b"16 path=a\nb=c=d\n") == {b"path": b"a\nb=c=d"}
