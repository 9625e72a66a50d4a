"""Story: a database and a volume of the cluster, backed up by Jobs of the cluster into a claim and a bucket, pruned and restored."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.cluster.cluster import Room
from tests.cluster.workloads import Database, Shelf, claimed_store, in_cluster
from tests.e2e.kubectl import condition, eventually
from tests.e2e.stronghold import run, secret
from tests.s3.server import S3Server, running_s3
from tests.s3.stores import bucket_spec

pytestmark = pytest.mark.cluster
ROWS = 2_000


@pytest.fixture(scope="module")
def bucket_server(room: Room, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Where pods reach it."""
    if room.cluster.address is None:
        pytest.skip("pods of this cluster reach this machine by no address (--node-address)")
    with running_s3(tmp_path_factory.mktemp("s3"), room.cluster.address) as server:
        yield server


@pytest.fixture(scope="module")
def database(room: Room) -> Database:
    made = Database(room, "super'secret")
    made.start()
    made.load_shop(ROWS)
    return made


@pytest.fixture(scope="module")
def shelf(room: Room) -> Shelf:
    """The claim `media` with files that everybody may read, and `vault`."""
    made = Shelf(room, ("media", "vault"))
    made.start()
    made.sh("for n in 1 2 3; do head -c 200000 /dev/urandom > /media/$n.jpg; done")
    return made


@pytest.fixture(scope="module")
def first(room: Room, database: Database, shelf: Shelf, bucket_server: S3Server) -> dict[str, Any]:
    """The first run, ended."""
    bucket = bucket_server.make_bucket()
    media = {"name": "media", "files": {"persistentVolumeClaim": "media"}}
    shop = in_cluster("shop", database.source(), stores=["vault", "bucket"], retention={"keepLast": 1})
    shop["spec"]["sources"].append(media)
    room.apply(
        claimed_store("vault"),
        {
            "apiVersion": "strongroom.dev/v1alpha1",
            "kind": "BackupStore",
            "metadata": {"name": "bucket"},
            "spec": {**bucket_spec(bucket_server.endpoint, bucket), "offsite": True},
        },
        secret("vault-keys", access="admin", secret=bucket_server.secret_key()),
        secret("shop-db", password=database.password),
        shop,
        run("first", "shop"),
    )
    return room.finished_run("first")


def test_the_cluster_runs_the_backup_and_both_stores_hold_it_verified(
    room: Room, first: dict[str, Any], shelf: Shelf
) -> None:
    status = first["status"]
    assert status["phase"] == "Succeeded", status
    assert {copy["store"]: copy["state"] for copy in status["copies"]} == {
        "vault": "Succeeded",
        "bucket": "Succeeded",
    }
    assert {each["verification"]["level"] for each in status["artifacts"]} == {"Full"}
    assert "manifest.json" in shelf.sh(f"ls /vault/{status['recoveryPoint']}")


def test_the_copies_satisfy_three_two_one(room: Room, first: dict[str, Any]) -> None:
    room.when("backuppolicy", "shop", "CopiesSatisfied")


def test_the_pod_has_no_privilege_and_no_token(room: Room, first: dict[str, Any]) -> None:
    job = room.get("job", first["status"]["job"])
    pod = job["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert condition(job, "Complete")["status"] == "True"


def test_the_artifact_opens_with_stock_tools(first: dict[str, Any], shelf: Shelf) -> None:
    listed = shelf.sh(f"zstd -dc /vault/{first['status']['recoveryPoint']}/media.tar.zst | tar -t")
    assert {line.rpartition("/")[2] for line in listed.splitlines()} >= {"1.jpg", "2.jpg", "3.jpg"}


def test_the_next_backup_prunes_the_one_before_in_both_stores(
    room: Room, first: dict[str, Any], shelf: Shelf
) -> None:
    room.apply(run("second", "shop"))
    assert room.finished_run("second")["status"]["phase"] == "Succeeded"
    eventually("the first is pruned", lambda: room.get("backuprun", "first")["status"].get("prunedTime"), 30)
    assert shelf.sh("find /vault -name manifest.json | wc -l") == "1"


def test_a_database_is_restored_beside_the_present_one_by_a_job_of_the_cluster(
    room: Room, first: dict[str, Any], database: Database
) -> None:
    before = database.content()
    words = ["restore", "shop", "--namespace", room.namespace, "--source", "database"]
    words += ["--to-database", "shop_copy", "--db-user", "postgres", "--db-password", "shop-db/password"]
    done = room.strongroom(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert database.content("shop_copy") == before
