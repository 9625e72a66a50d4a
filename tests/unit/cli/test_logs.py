"""What our parts log: lines for people, or one JSON object an event."""

import asyncio
import json
import logging

import pytest

from strongroom.cli.logs import configure_logging
from strongroom.kube.subjects import at_work_on, current_subject

log = logging.getLogger("strongroom.controllers.reconciling")


@pytest.fixture(autouse=True)
def root_as_before():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_is_one_line_of_json_that_names_the_object_at_work(capsys):
    configure_logging("operator", "json")
    with at_work_on("BackupRun", "shop", "nightly"):
        log.warning("trying again: %s", "no\nroute")
    log.info("idle")
    first, second = lines(capsys)
    assert first["time"].endswith("Z")
    assert first["time"][10] == "T"
    assert (first["level"], first["part"], first["logger"]) == ("warning", "operator", log.name)
    assert first["message"] == "trying again: no\nroute"
    assert first["object"] == {"kind": "BackupRun", "namespace": "shop", "name": "nightly"}
    assert "object" not in second


def test_a_fault_of_ours_leaves_its_trace_in_the_same_line(capsys):
    configure_logging("agent", "json")
    try:
        int("a")
    except ValueError:
        log.exception("a fault")
    (line,) = lines(capsys)
    assert "invalid literal" in line["exception"]


def test_lines_for_people_stay_as_they_are(capsys):
    configure_logging("operator")
    log.info("one leads")
    assert capsys.readouterr().err.endswith("Z operator INFO one leads\n")


async def test_tasks_at_work_side_by_side_name_each_their_own_object():
    async def work(name):
        with at_work_on("Job", "shop", name):
            await asyncio.sleep(0)
            return current_subject().name

    assert await asyncio.gather(work("a"), work("b")) == ["a", "b"]
    assert current_subject() is None
