import click
import pytest
from tests.unit.domain import domain_objects as objects

from strongroom.cli.artifacts import find_point

ENDED = {
    "phase": "Succeeded",
    "recoveryPoint": "default/shop/20261122T020000Z-a",
    "artifacts": objects.result("uid")["artifacts"],
}


def test_the_artifacts_of_a_run_are_in_the_folder_of_its_recovery_point():
    assert find_point(objects.run(status=ENDED)) == "default/shop/20261122T020000Z-a"


def test_artifacts_that_retention_deleted_are_not_shown_as_if_they_could_be_opened():
    with pytest.raises(click.ClickException, match="retention deleted its artifacts at 2026-11-23T02:00:00"):
        find_point(objects.run(status=ENDED | {"prunedTime": "2026-11-23T02:00:00Z"}))


def test_a_run_without_artifacts_says_why_it_has_none():
    with pytest.raises(click.ClickException, match="Failed and has no artifacts: the disk is full"):
        find_point(objects.run(status={"phase": "Failed", "message": "the disk is full"}))
