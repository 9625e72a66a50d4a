"""A walk keeps names of no files in memory, and patterns decide as git does."""

import os
import tracemalloc
from pathlib import Path

from strongroom.sources.files.selection import Selection
from strongroom.sources.files.walking import Tree, Walk

ALL = Selection([], [], "media")


def walk(root: Path, selection: Selection = ALL) -> Walk:
    return Walk("media", [Tree(os.fsencode(root), b".", b".")], selection)


def peak_bytes(root: Path) -> int:
    tracemalloc.start()
    try:
        for _ in walk(root):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    for folder, count in (("few", 100), ("many", 20_000)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            (tmp_path / folder / f"{number}").touch()
    assert peak_bytes(tmp_path / "many") < peak_bytes(tmp_path / "few") + 10_000


def test_a_folder_that_waits_for_its_turn_takes_little_more_memory_than_its_name(tmp_path: Path) -> None:
    count = 10_000
    for number in range(count):
        (tmp_path / f"many folders/{number:032}").mkdir(parents=True)
    assert peak_bytes(tmp_path) < count * 120 + 50_000


def test_the_order_is_the_same_each_time_and_folders_come_first(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number % 5}").mkdir(exist_ok=True)
        (tmp_path / f"{number % 5}/{number}").touch()
    names = list(walk(tmp_path))
    assert names == list(walk(tmp_path))
    seen = set()
    for name in names:
        assert name == b"." or os.path.dirname(name) in seen  # noqa: PTH120
        seen.add(name)
