import os
from pathlib import Path

import pytest

from strongroom.sources.files.composefiles import named_files, read_compose_file


def test_a_pipe_or_device_in_the_place_of_a_compose_file_neither_waits_nor_fills_the_memory(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    for name in ("pipe", "zeros"):
        with pytest.raises(ValueError, match="not a plain file"):
            read_compose_file(str(tmp_path / name))


def test_no_more_is_read_than_a_compose_file_has(tmp_path: Path) -> None:
    with (tmp_path / "long.yml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match="longer than any compose file"):
        named_files(read_compose_file(str(tmp_path / "long.yml")), "/srv")
