"""Story: a policy writes to a disk and to a bucket; the bucket's copy, fetched by another client, restores equal."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import Shop, restored_copy
from tests.e2e.stronghold import Stronghold, condition, eventually, policy, run, secret, store, stronghold
from tests.s3.server import S3Server
from tests.s3.stores import bucket_spec

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stronghold]:
    with stronghold(tmp_path_factory.mktemp("hold") / "state") as started:
        yield started


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> str:
    return s3_server.make_bucket()


def vault(name: str, endpoint: str, bucket: str, **more: Any) -> dict[str, Any]:
    spec = bucket_spec(endpoint, bucket, prefix="team/backups", **more)
    return {
        "apiVersion": "strongroom.dev/v1alpha1",
        "kind": "BackupStore",
        "metadata": {"name": name},
        "spec": {**spec, "offsite": True},
    }


@pytest.fixture(scope="module")
def first_run(hold: Stronghold, shop: Shop, store_path: Path, s3_server: S3Server, bucket: str) -> dict:
    hold.apply(
        store(store_path),
        vault("vault", s3_server.endpoint, bucket),
        secret("shop-db", password=shop.password),
        secret("vault-keys", access="admin", secret=s3_server.secret_key()),
        policy("shop", shop.source(), stores=["disk", "vault"], retention={"keepLast": 7}),
        run("both", "shop"),
    )
    return hold.finished_run("both")


def test_both_copies_are_proved(first_run: dict) -> None:
    status = first_run["status"]
    assert (status["phase"], condition(first_run, "Succeeded")["status"]) == ("Succeeded", "True"), status
    assert {copy["store"]: copy["state"] for copy in status["copies"]} == {
        "disk": "Succeeded",
        "vault": "Succeeded",
    }
    assert all(artifact["verification"]["readBack"] for artifact in status["artifacts"])


def test_the_copy_in_the_bucket_restores_equal(
    s3_server: S3Server, bucket: str, shop: Shop, first_run: dict, tmp_path: Path
) -> None:
    names = s3_server.objects(bucket, f"team/backups/{first_run['status']['recoveryPoint']}/")
    (name,) = [name for name in names if name.endswith(".dump.zst")]
    dump = tmp_path / "fetched.dump.zst"
    s3_server.client().download_file(bucket, name, str(dump))
    with restored_copy(shop, dump, tmp_path) as copy:
        assert copy.row_counts() == shop.row_counts()
        assert copy.content_hashes() == shop.content_hashes()


def test_three_two_one_is_satisfied(hold: Stronghold, first_run: dict) -> None:
    assert (
        condition(hold.when("backuppolicy", "shop", "CopiesSatisfied"), "CopiesSatisfied")["status"] == "True"
    )


def test_the_store_says_what_it_can_and_what_it_holds(hold: Stronghold, first_run: dict) -> None:
    status = hold.when("backupstore", "vault", "Ready")["status"]
    assert (status["type"], status["artifactCount"]) == ("s3", 1)
    assert "ConditionalCreate" in status["capabilities"]


def test_artifacts_show_says_how_to_open_the_copy(hold: Stronghold, bucket: str, first_run: dict) -> None:
    shown = hold.strongroom("artifacts", "show", "both").stdout
    assert f"aws s3 cp s3://{bucket}/team/backups/" in shown


def test_a_bucket_that_is_away_is_told_as_a_failed_copy(
    hold: Stronghold, shop: Shop, bucket: str, first_run: dict
) -> None:
    hold.apply(
        vault("away", "http://127.0.0.1:9", bucket),
        policy("half", shop.source(), stores=["disk", "away"]),
        run("half", "half"),
    )
    status = hold.finished_run("half", seconds=180)["status"]
    copies = {copy["store"]: copy for copy in status["copies"]}
    assert (copies["disk"]["state"], copies["away"]["state"]) == ("Succeeded", "Failed")
    assert (status["phase"], copies["away"]["reason"]) == ("Partial", "StoreUnreachable")

    def told() -> bool:
        ready = condition(hold.get("backupstore", "away"), "Ready")
        return ready.get("reason") == "StoreUnreachable" and "s3.endpoint" in ready["message"]

    eventually("the store says so", told, 60)


def test_half_of_a_pair_of_keys_is_refused_by_the_api(hold: Stronghold, s3_server: S3Server) -> None:
    broken = vault("broken", s3_server.endpoint, "bucket")
    del broken["spec"]["s3"]["secretKeySecret"]
    with pytest.raises(AssertionError, match="both accessKeySecret and secretKeySecret"):
        hold.apply(broken)


def test_the_key_is_nowhere_but_in_its_secret(hold: Stronghold, s3_server: S3Server, first_run: dict) -> None:
    everything = hold.kubectl("get", "bp,br,bs,dh,jobs,events,leases", "-o", "json").stdout
    assert s3_server.secret_key() not in everything
    assert s3_server.secret_key() not in hold.log
    for path in (hold.state / "agent").rglob("*"):
        if path.is_file():
            assert s3_server.secret_key().encode() not in path.read_bytes(), path
