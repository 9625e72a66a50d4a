"""Story: pods that cannot start give their reason on the run within a minute."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.cluster.cluster import Cluster, Room
from tests.cluster.workloads import claimed_store, in_cluster
from tests.e2e.kubectl import eventually
from tests.e2e.stronghold import run, secret

pytestmark = pytest.mark.cluster
SECONDS = 60
NO_IMAGE = "strongroom.invalid/none:1"


@pytest.fixture(scope="module")
def ground(room: Room) -> Room:
    """All of their runs, made at once: they wait beside each other."""
    room.cluster.make_claim(room.namespace, "vault")
    secretless = plain("secretless")
    secretless["spec"]["sources"][0]["postgres"]["passwordSecret"]["name"] = "no-such-secret"
    policies = [
        plain("claimless", stores=["nowhere"]),
        plain("nodeless", job={"nodeSelector": {"disk": "none"}}),
        plain("imageless", job={"image": NO_IMAGE, "imagePullPolicy": "Never"}),
        secretless,
    ]
    room.apply(claimed_store("vault"), claimed_store("nowhere"), secret("shop-db", password="secret"))
    room.apply(
        *policies, *(run(f"{each['metadata']['name']}-1", each["metadata"]["name"]) for each in policies)
    )
    return room


@pytest.fixture(scope="module")
def crowded(cluster: Cluster) -> Iterator[Room]:
    """A namespace that may have no pod."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "full"},
        "spec": {"hard": {"pods": "0"}},
    }
    with cluster.room("crowded") as room:
        room.apply(quota, claimed_store("vault"), secret("shop-db", password="secret"))
        room.apply(plain("crowded"), run("crowded-1", "crowded"))
        yield room


def plain(name: str, **spec: Any) -> dict[str, Any]:
    """Each of a database of its own: none waits for another."""
    postgres = {
        "host": "db",
        "user": "postgres",
        "passwordSecret": {"name": "shop-db", "key": "password"},
        "databases": [name],
    }
    return in_cluster(name, postgres, **spec)


def says(room: Room, name: str, *words: str) -> None:
    """The run says all the words soon."""

    def message() -> str:
        status = (room.try_get("backuprun", name) or {}).get("status", {})
        said = str(status.get("message", "")) + str(status.get("conditions", ""))
        return said if all(word in said for word in words) else ""

    eventually(f"run {name} says {words}", message, SECONDS)


def test_a_claim_that_is_missing_is_named(ground: Room) -> None:
    says(ground, "claimless-1", "nowhere")


def test_a_node_that_does_not_exist_is_told_as_unschedulable(ground: Room) -> None:
    says(ground, "nodeless-1", "Unschedulable")


def test_an_image_that_is_missing_is_named(ground: Room) -> None:
    says(ground, "imageless-1", NO_IMAGE)


def test_a_secret_that_is_missing_is_named(ground: Room) -> None:
    says(ground, "secretless-1", "no-such-secret")


def test_a_full_quota_is_told(crowded: Room) -> None:
    says(crowded, "crowded-1", "quota")
