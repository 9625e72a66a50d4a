"""A hostile archive is refused whole: nothing of it stays, and nothing outside the folder was touched."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from tests.integration.files.hostile import Corpus, Hostile
from tests.integration.files.trees import describe_tree

from strongroom.api.errors import Reason, StrongroomError
from strongroom.programs.children import Child
from strongroom.sources.files.archiving import find_tar
from strongroom.sources.files.confining import confine_writing
from strongroom.sources.files.unpacking.extracting import Extraction, Rights
from strongroom.sources.files.unpacking.intake import Unpacking, Wanted

NAMES = [each.name for each in Corpus(b"/nowhere").all()]


def unpack(folder: Path, hostile: Hostile, step: int = 1 << 20) -> None:
    wanted = Wanted(
        "source media",
        hostile.members,
        hostile.size_bytes,
        special=hostile.special,
        is_tree=hostile.is_tree,
        digests=True,
    )
    with Unpacking(os.fsencode(folder), wanted) as unpacking:
        for start in range(0, len(hostile.archive), step):
            unpacking.write(hostile.archive[start : start + step])
        unpacking.finish()
        unpacking.keep()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Where hostile archives want to get to."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("of the host")
    (tmp_path / "place").mkdir()
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_whole(outside: Path, tmp_path: Path, name: str) -> None:
    hostile = next(each for each in Corpus(os.fsencode(outside)).all() if each.name == name)
    before = describe_tree(tmp_path)
    with pytest.raises(StrongroomError, match=hostile.says) as caught:
        unpack(tmp_path / "place/new", hostile, 700)
    assert caught.value.reason in {Reason.ArchiveRefused, Reason.RestoreFailed}
    after = describe_tree(tmp_path)
    assert after.keys() == before.keys()
    assert {name: after[name] for name in after if name != "place"} == {
        name: before[name] for name in before if name != "place"
    }


@pytest.mark.parametrize("name", NAMES)
def test_even_without_the_guard_tar_writes_below_its_folder_alone(
    outside: Path, tmp_path: Path, name: str
) -> None:
    hostile = next(each for each in Corpus(os.fsencode(outside)).all() if each.name == name)
    expected = describe_tree(outside)
    place = os.fsencode(tmp_path / "place")
    with suppress(StrongroomError), Extraction(find_tar(), place, Rights(owners=True, special=True)) as tar:
        tar.write(hostile.archive)
        tar.finish()
    assert describe_tree(outside) == expected
    assert {path.name for path in tmp_path.iterdir()} == {"outside", "place"}


def test_tar_itself_cannot_open_what_lies_outside(outside: Path, tmp_path: Path) -> None:
    def confine() -> None:
        confine_writing(os.fsencode(tmp_path / "place"))

    for command, expected in (
        (["cp", "/usr/bin/env", "inside"], 0),
        (["ln", "-s", "/etc", "link"], 0),
        (["cp", "/usr/bin/env", str(outside / "env")], 1),
        (["cat", str(outside / "secret")], 1),
        (["mkdir", str(outside / "folder")], 1),
        (["rm", str(outside / "secret")], 1),
        (["mknod", "null", "c", "1", "3"], 1),
    ):
        place = os.fsencode(tmp_path / "place")
        with Child(command, {"PATH": "/usr/bin:/bin"}, stdin=True, folder=place, prepare=confine) as child:
            assert child.wait() == expected, (command, child.errors())
    assert (outside / "secret").read_text() == "of the host"
