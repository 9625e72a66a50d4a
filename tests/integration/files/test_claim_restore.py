"""A cluster's claims come back as volumes do: entry by entry inside of the mount, or everything into one of their own."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.files.orders import Trees, drop_order, restore_order
from tests.integration.files.trees import describe_tree, make_tree

from strongroom.api.result import WorkResult

SOURCE = {"name": "media", "files": {"persistentVolumeClaim": "media"}}


@pytest.fixture
def claims(trees: Trees) -> Path:
    """Where the pod has them: `media` is backed up, `rescue` is as empty as a new disk."""
    folder = trees.folder / "claims"
    (folder / "media").mkdir(parents=True)
    make_tree(folder / "media")
    (folder / "rescue/lost+found").mkdir(parents=True)
    _, result = trees.carry_out(trees._order("first", [trees.store], {"sources": [SOURCE]}), claims=folder)
    assert result.outcome == "Succeeded", result.message
    return folder


def carry_out(trees: Trees, claims: Path, order: dict[str, Any]) -> WorkResult:
    _, result = trees.carry_out(order, claims=claims)
    return result


def seen(place: Path) -> dict[str, tuple[object, ...]]:
    return {name: facts for name, facts in describe_tree(place).items() if ".strongroom-" not in name}


def test_a_claim_is_restored_in_place_and_what_it_replaces_is_kept_inside_until_it_is_dropped(
    trees: Trees, claims: Path
) -> None:
    media = claims / "media"
    good = seen(media)
    (media / "later").write_text("since the backup")
    planned = carry_out(trees, claims, restore_order(trees, SOURCE, kind="PlanRestore"))
    assert planned.plan is not None
    assert planned.plan.confirmation == "media"
    result = carry_out(trees, claims, restore_order(trees, SOURCE, allowSpecialFiles=True))
    assert result.restore is not None, result.message
    assert seen(media) == good
    (replaced,) = result.restore.replaced
    assert (replaced.kind, replaced.original) == ("volume", "media")
    assert [path.name for path in media.glob(".strongroom-*/old/later")] == ["later"]
    dropped = carry_out(trees, claims, drop_order(trees, [replaced], SOURCE))
    assert dropped.outcome == "Succeeded", dropped.message
    assert list(media.glob(".strongroom-*")) == []


def test_a_claim_of_its_own_takes_all_of_it_and_is_not_taken_for_full_by_what_its_file_system_makes(
    trees: Trees, claims: Path
) -> None:
    order = restore_order(
        trees, mode="Directory", persistentVolumeClaim="rescue", overwrites=[], allowSpecialFiles=True
    )
    result = carry_out(trees, claims, order)
    assert result.outcome == "Succeeded", result.message
    assert seen(claims / "rescue/media") == seen(claims / "media")


def test_a_claim_that_is_not_mounted_is_an_order_that_nobody_can_carry_out(
    trees: Trees, claims: Path
) -> None:
    other = {"name": "media", "files": {"persistentVolumeClaim": "gone"}}
    result = carry_out(trees, claims, restore_order(trees, other))
    assert (result.reason, "claim gone" in result.message) == ("InvalidOrder", True)
