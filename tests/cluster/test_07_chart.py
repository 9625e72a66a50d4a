"""Story: the chart is upgraded, narrowed to one namespace, uninstalled and installed again; no policy, run or backup is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chart.installing import Helm, chart_for, edit
from tests.cluster.cluster import HOME_NAMESPACE, Cluster, Room, chart_values, install
from tests.cluster.disturbing import disturb
from tests.cluster.workloads import Database, Shelf
from tests.e2e.kubectl import eventually
from tests.e2e.stronghold import policy, run, secret

pytestmark = pytest.mark.cluster
PASSWORD = "secret"
CRD = "backupstores.strongroom.dev"


def shop(room: Room, name: str, store: str) -> dict[str, Any]:
    """A policy of the room's database, run by the cluster."""
    made = policy(name, Database(room, PASSWORD).source(), stores=[store])
    del made["spec"]["host"]
    return made


def in_claim(name: str) -> dict[str, Any]:
    """A store's spec: the claim of that name."""
    return {"local": {"path": f"/{name}", "persistentVolumeClaim": name}}


@pytest.fixture(scope="module")
def shelf(room: Room) -> Shelf:
    """Claims `vault` and `spare`; in the first is a backup: run `first` of policy `shop`."""
    database, shelf = Database(room, PASSWORD), Shelf(room, ("vault", "spare"))
    database.start()
    database.load_shop(200)
    shelf.start()
    vault: dict[str, Any] = {
        "apiVersion": "strongroom.dev/v1alpha1",
        "kind": "BackupStore",
        "metadata": {"name": "vault"},
        "spec": in_claim("vault"),
    }
    room.apply(vault, secret("shop-db", password=PASSWORD), shop(room, "shop", "vault"), run("first", "shop"))
    assert room.finished_run("first")["status"]["phase"] == "Succeeded"
    room.when("backuppolicy", "shop", "Fresh")
    return shelf


@pytest.fixture
def helm(cluster: Cluster) -> Iterator[Helm]:
    """Alone with the cluster, whose operator is at the end as it was."""
    with disturb():
        try:
            yield Helm(cluster.kubeconfig, cluster.home)
        finally:
            install(cluster)


def uids(room: Room) -> dict[str, str]:
    """Of all that people and the operator have made of our kinds."""
    kinds = ("backuppolicies", "backupruns", "backupstores")
    return {
        f"{kind}/{each['metadata']['name']}": each["metadata"]["uid"]
        for kind in kinds
        for each in room.items(kind)
    }


def names(cluster: Cluster, *words: str) -> set[str]:
    """`kind/name` of what `kubectl get` finds."""
    return set(cluster.kubectl("get", *words, "--output=name").stdout.split())


def description_of(cluster: Cluster) -> str:
    path = "{.spec.versions[0].schema.openAPIV3Schema.description}"
    return cluster.kubectl("get", "customresourcedefinition", CRD, f"--output=jsonpath={path}").stdout


def test_an_upgrade_brings_newer_definitions_and_keeps_what_there_is(
    cluster: Cluster, room: Room, shelf: Shelf, helm: Helm, tmp_path: Path
) -> None:
    before = uids(room)
    newer = chart_for(cluster.minor, tmp_path)

    def describe(crd: dict[str, Any]) -> dict[str, Any]:
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "Newer."
        return crd

    edit(newer / f"files/crds/{CRD}.yaml", describe)
    edit(newer / "Chart.yaml", lambda chart: chart | {"version": "0.2.0"})
    helm.install(newer, chart_values(cluster))
    eventually("the definition is the newer one", lambda: description_of(cluster) == "Newer.", 30)
    assert uids(room) == before
    room.apply(run("upgraded", "shop"))
    assert room.finished_run("upgraded")["status"]["phase"] == "Succeeded"


def test_narrowed_to_one_namespace_it_has_nothing_of_the_clusters_scope_and_works(
    cluster: Cluster, room: Room, shelf: Shelf, helm: Helm, tmp_path: Path
) -> None:
    values = chart_values(cluster) | {"watch": {"namespaces": [room.namespace]}}
    helm.install(chart_for(cluster.minor, tmp_path), values)
    of_scope = names(cluster, "clusterroles,clusterrolebindings")
    assert not [name for name in of_scope if name.partition("/")[2].startswith("strongroom-operator")]
    account = f"--as=system:serviceaccount:{HOME_NAMESPACE}:strongroom-operator"
    for refused in (("list", "secrets"), ("get", "secrets"), ("create", "pods"), ("create", "pods/exec")):
        asked = cluster.kubectl(
            "auth", "can-i", *refused, "--namespace", room.namespace, account, check=False
        )
        assert asked.stdout.strip() == "no"
    room.apply(run("narrowed", "shop"))
    assert room.finished_run("narrowed")["status"]["phase"] == "Succeeded"


def test_uninstalled_it_leaves_definitions_history_and_backups_and_installed_again_it_takes_them_up(
    cluster: Cluster, room: Room, shelf: Shelf, helm: Helm, tmp_path: Path
) -> None:
    chart = chart_for(cluster.minor, tmp_path)
    home = {"namespace": room.namespace}
    store = home | {"name": "spare", "spec": in_claim("spare")}
    nightly = home | {"name": "nightly", "spec": shop(room, "nightly", "spare")["spec"]}
    helm.install(chart, chart_values(cluster) | {"stores": [store], "policies": [nightly]})
    before, manifests = uids(room), shelf.sh("find /vault -name manifest.json | sort")
    assert {"backupstores/spare", "backuppolicies/nightly"} < set(before)
    helm.uninstall()
    assert f"customresourcedefinition.apiextensions.k8s.io/{CRD}" in names(
        cluster, "customresourcedefinitions"
    )
    assert not names(cluster, "deployments", "--namespace", HOME_NAMESPACE)
    assert uids(room) == before
    assert shelf.sh("find /vault -name manifest.json | sort") == manifests
    room.apply(run("meanwhile", "shop"))
    helm.install(chart, chart_values(cluster))
    assert room.finished_run("meanwhile")["status"]["phase"] == "Succeeded"
    room.when("backuppolicy", "shop", "Fresh")
    assert before.items() <= uids(room).items()
