"""The parts of `strongroom up`: health seen from outside, and a part that hangs started again."""

import asyncio
import os
import sys

from strongroom.cli.supervisor import Part, TouchedFile, supervise


async def test_a_file_is_alive_by_its_changes_and_not_by_its_age(tmp_path):
    file = tmp_path / "alive"
    file.touch()
    patient, impatient = TouchedFile(file, 60), TouchedFile(file, 0)
    assert not await patient(), "what was there before is no sign of life"
    os.utime(file, (1, 1))
    assert await patient()
    assert await patient(), "not silent for long"
    await impatient()
    assert not await impatient(), "it is as it was, whatever the time of day"


async def test_a_part_that_falls_silent_is_killed_and_started_again(tmp_path):
    """It is alive once, then no more; the second is slow to begin, and left alone."""
    starts, stop = tmp_path / "starts", asyncio.Event()
    program = f"import os, time; os.write(os.open({str(starts)!r}, os.O_APPEND | os.O_CREAT | os.O_WRONLY), b'.'); time.sleep(60)"
    asked_of_second = 0

    async def at_once():
        return

    async def works():
        nonlocal asked_of_second
        begun = len(starts.read_bytes()) if starts.exists() else 0
        asked_of_second += begun > 1
        if asked_of_second > 10:
            stop.set()
        return begun == 1 and not starts.with_name("lived").exists() and not starts.with_name("lived").touch()

    part = Part("part", (sys.executable, "-c", program), at_once, lambda: works)
    async with asyncio.timeout(60):
        await supervise([part], stop, probe_seconds=0.05)
    assert starts.read_bytes() == b".."
