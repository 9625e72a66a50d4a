"""A files source read without a worker around it: the stream into a file, with its check."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from strongroom.api.filesources import FilesSource
from strongroom.engine.connecting import Engine
from strongroom.sources.files.places import HOST
from strongroom.sources.files.readings import plan_files
from strongroom.sources.reading import Contents, Reading


def no_engine() -> Engine:
    raise AssertionError("no Engine is needed for a path of the host")


def plan(path: Path, **fields: Any) -> Reading:
    source = FilesSource.model_validate({"path": str(path), **fields})
    return plan_files("media", source, HOST, no_engine, "strongroom-test")[0]


def read(reading: Reading, archive: Path) -> Contents:
    """As the worker does: the check sees all that goes into the archive."""
    buffer = memoryview(bytearray(1 << 16))
    with archive.open("wb") as target, reading.start_check("Full") as check, reading.start() as stream:
        while count := stream.readinto(buffer):
            check.write(buffer[:count])
            target.write(buffer[:count])
        stream.finish()
        return check.finish()


def read_back(reading: Reading, content: bytes) -> Contents:
    with reading.start_check("List") as check:
        check.write(content)
        return check.finish()


def read_around(reading: Reading, act: Callable[[], Any], archive: BinaryIO | None = None) -> Contents:
    """Do something when the stream has begun: tar waits in the middle of a big file, and of ours has got all names."""
    buffer = memoryview(bytearray(1 << 16))
    with reading.start_check("Full") as check, reading.start() as stream:

        def take(count: int) -> int:
            check.write(buffer[:count])
            if archive is not None:
                archive.write(buffer[:count])
            return count

        take(stream.readinto(buffer))
        act()
        while take(stream.readinto(buffer)):
            pass
        stream.finish()
        return check.finish()
