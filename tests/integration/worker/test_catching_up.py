"""An order to catch up: copies from a good store to those that lack them, proved there; the source is never asked."""

import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from tests.integration.worker.test_copies import contents, disk, order, told
from tests.integration.worker.workshop import Finished, Workshop
from tests.s3.server import S3Server
from tests.s3.stores import bucket_spec, write_keys

from strongroom.api.result import WorkResult

MEBIBYTE = 1 << 20
KILLS = 6
POINT = "default/shop/20260102T030405Z-first"


@pytest.fixture
def backup(workshop: Workshop) -> WorkResult:
    """What one store holds; the source has gone since."""
    made = workshop.run_here(order(workshop, [disk(workshop, "origin")], 2 * MEBIBYTE))
    assert made.result.outcome == "Succeeded", made.result.message
    shutil.rmtree(workshop.folder / "tree")
    return made.result


def catch_up(workshop: Workshop, stores: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "kind": "CatchUp",
        "namespace": "default",
        "runUid": "uid-first",
        "stores": stores,
        "deadlineSeconds": 300,
        "catchUp": {"policy": "shop", "policyUid": "uid-policy", "recoveryPoint": POINT, **changes},
    }


def states(finished: Finished) -> dict[str, str]:
    return {name: copy.state for name, copy in told(finished).items()}


def test_stores_that_lack_a_backup_get_equal_copies_without_the_source(
    workshop: Workshop, backup: WorkResult, s3_server: S3Server, s3_bucket: str
) -> None:
    write_keys(workshop.folder / "secrets", s3_server)
    prefix = workshop.folder.name
    vault = {"name": "vault", "spec": bucket_spec(s3_server.endpoint, s3_bucket, prefix=prefix)}
    stores = [disk(workshop, "second"), vault, disk(workshop, "origin")]
    finished = workshop.run_here(catch_up(workshop, stores, manifestSha256=backup.manifest_sha256))
    assert (finished.code, finished.result.outcome) == (0, "Succeeded"), finished.result.message
    assert '"CatchUp"' in finished.stdout
    assert finished.result.manifest_sha256 == backup.manifest_sha256
    assert all(copy.state == "Succeeded" and copy.verified_time for copy in finished.result.copies)
    held = contents(workshop.folder / "origin")
    assert contents(workshop.folder / "second") == held
    names = s3_server.objects(s3_bucket, prefix)
    assert {name.removeprefix(f"{prefix}/"): s3_server.content(s3_bucket, name) for name in names} == held


def test_given_again_an_order_proves_what_is_there_and_writes_nothing(
    workshop: Workshop, backup: WorkResult
) -> None:
    stores = [disk(workshop, "origin"), disk(workshop, "second")]
    workshop.run_here(catch_up(workshop, stores))
    written = {p: p.stat().st_mtime_ns for p in (workshop.folder / "second").rglob("*")}
    again = workshop.run_here(catch_up(workshop, stores))
    assert states(again) == {"origin": "Succeeded", "second": "Succeeded"}
    assert '"CatchUp"' not in again.stdout
    assert {p: p.stat().st_mtime_ns for p in (workshop.folder / "second").rglob("*")} == written


def test_a_broken_committed_copy_is_told_and_left_and_the_others_come_from_a_good_one(
    workshop: Workshop, backup: WorkResult
) -> None:
    workshop.run_here(catch_up(workshop, [disk(workshop, "origin"), disk(workshop, "rotten")]))
    victim = workshop.folder / "rotten" / POINT / backup.artifacts[0].file
    victim.chmod(0o600)
    with victim.open("r+b") as file:
        file.seek(MEBIBYTE)
        file.write(b"rot")
    rotten = contents(workshop.folder / "rotten")
    stores = [disk(workshop, "rotten"), disk(workshop, "third"), disk(workshop, "origin")]
    finished = workshop.run_here(catch_up(workshop, stores))
    assert states(finished) == {"rotten": "Failed", "third": "Succeeded", "origin": "Succeeded"}
    assert finished.result.outcome == "Partial"
    assert contents(workshop.folder / "rotten") == rotten
    assert contents(workshop.folder / "third") == contents(workshop.folder / "origin")


def test_another_manifest_than_the_runs_is_no_origin(workshop: Workshop, backup: WorkResult) -> None:
    stores = [disk(workshop, "origin"), disk(workshop, "second")]
    finished = workshop.run_here(catch_up(workshop, stores, manifestSha256="0" * 64))
    assert (finished.result.outcome, finished.result.reason) == ("Failed", "ArtifactCorrupt")
    assert contents(workshop.folder / "second") == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"policyUid": "uid-of-another"}, "ArtifactCorrupt"),
        ({"recoveryPoint": "default/shop/20250101T000000Z-never"}, "StoreFailed"),
        ({"recoveryPoint": "default/other/20260102T030405Z-first"}, "InvalidOrder"),
    ],
)
def test_what_is_not_there_or_not_the_policys_is_refused(
    workshop: Workshop, backup: WorkResult, changes: dict[str, str], reason: str
) -> None:
    finished = workshop.run_here(
        catch_up(workshop, [disk(workshop, "origin"), disk(workshop, "second")], **changes)
    )
    assert (finished.result.outcome, finished.result.reason) == ("Failed", reason)
    assert contents(workshop.folder / "second") == {}


def test_a_store_that_is_away_does_not_keep_the_others_from_their_copies(
    workshop: Workshop, backup: WorkResult
) -> None:
    away = {"name": "away", "spec": {"local": {"path": str(workshop.folder / "nowhere")}}}
    stores = [disk(workshop, "origin"), away, disk(workshop, "second")]
    finished = workshop.run_here(catch_up(workshop, stores))
    assert states(finished) == {"origin": "Succeeded", "away": "Failed", "second": "Succeeded"}
    assert (finished.result.outcome, finished.result.reason) == ("Partial", "StoreMissing")


def test_killed_at_any_moment_it_leaves_nothing_half_visible_and_can_be_given_again(
    workshop: Workshop, backup: WorkResult
) -> None:
    chance = random.Random(20260102)
    slow = {"limits": {"uploadBytesPerSecond": 3 * MEBIBYTE}}
    held = contents(workshop.folder / "origin")
    killed = 0
    for number in range(KILLS):
        targets = [disk(workshop, f"target-{number}-{each}", **slow) for each in (1, 2)]
        given = catch_up(workshop, [disk(workshop, "origin"), *targets])
        process = workshop.start(given)
        assert process.stdout is not None
        for _ in range(chance.randrange(2, 5)):
            process.stdout.readline()
        time.sleep(chance.uniform(0, 0.4))
        killed += process.poll() is None
        process.kill()
        process.communicate()
        for target in targets:
            folder = Path(target["spec"]["local"]["path"])
            assert not list(folder.rglob("manifest.json")) or contents(folder).items() >= held.items()
        if number % 3 == 2:
            workshop.succeed(given)
            for target in targets:
                left = contents(Path(target["spec"]["local"]["path"]))
                assert {k: v for k, v in left.items() if ".strongroom-" not in k} == held
    assert killed > KILLS / 2


def test_an_order_to_stop_leaves_what_is_not_copied_behind(workshop: Workshop, backup: WorkResult) -> None:
    slow = disk(workshop, "slow", limits={"uploadBytesPerSecond": 1 << 18})
    process = workshop.start(catch_up(workshop, [disk(workshop, "origin"), slow]))
    assert process.stdout is not None
    next(line for line in process.stdout if '"CatchUp"' in line)
    process.terminate()
    finished = workshop.finish(process)
    assert states(finished) == {"origin": "Succeeded", "slow": "Behind"}
    assert (finished.result.outcome, finished.result.reason) == ("Partial", "Cancelled")
    assert not list((workshop.folder / "slow").rglob("manifest.json"))


def test_encrypted_copies_are_caught_up_by_their_stored_bytes_alone(workshop: Workshop) -> None:
    workshop.write_secret("keys", "passphrase", "correct horse battery")
    encryption = {"openssl": {"passphraseSecret": {"name": "keys", "key": "passphrase"}}}
    workshop.run_here(order(workshop, [disk(workshop, "origin")], encryption=encryption))
    stores = [disk(workshop, "origin"), disk(workshop, "second")]
    finished = workshop.run_here(catch_up(workshop, stores, encryption=encryption))
    assert finished.result.outcome == "Succeeded", finished.result.message
    assert contents(workshop.folder / "second") == contents(workshop.folder / "origin")


def test_a_backup_that_was_partly_committed_is_adopted_and_completed(workshop: Workshop) -> None:
    stores = [disk(workshop, "one"), disk(workshop, "two"), disk(workshop, "three")]
    given = order(workshop, stores)
    workshop.run_here(given)
    for name in ("two", "three"):
        (workshop.folder / name / POINT / "manifest.json").unlink()
    (data,) = (workshop.folder / "three" / POINT).glob("media*")
    data.unlink()
    again = workshop.run_here(given)
    assert again.result.outcome == "Succeeded", again.result.message
    assert '"Dump"' not in again.stdout
    first = contents(workshop.folder / "one")
    assert contents(workshop.folder / "two") == contents(workshop.folder / "three") == first
