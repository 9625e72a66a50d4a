"""Restores and drills that the cluster carries out: what their pods may do, and what is refused with a way out."""

from typing import Any

import pytest
from tests.unit.domain.domain_objects import host, meta, policy, run, store

from strongroom.api.errors import Reason
from strongroom.api.jobsettings import JobSettings
from strongroom.api.resources import parse_restore
from strongroom.domain.drillorders import build_drill_order
from strongroom.domain.jobs import Place, build_drill_job, build_request_job
from strongroom.domain.places import can_be_read
from strongroom.domain.restoreorders import Basis, build_drop_order, build_restore_order
from strongroom.domain.restoreproblems import find_problem
from strongroom.domain.sites import Cluster

CLUSTER = Cluster("default", JobSettings(), reach=("10.0.0.0/8",))
ROOT = {"runAsRoot": True}
DATABASE = {"name": "db", "postgres": {"host": "db", "user": "u", "databases": ["d"]}}
MEDIA = {"name": "media", "files": {"persistentVolumeClaim": "media"}}
VAULT = store("vault", local={"path": "/backups", "persistentVolumeClaim": "backups"})


def request(target: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **spec: Any) -> Any:
    base = {"from": {"policy": "orders", "latest": True}, "target": target or {"mode": "InPlace"}}
    return parse_restore({"metadata": meta("rr"), "spec": base | spec, "status": status or {}})


def basis(site: Any = CLUSTER, **spec: Any) -> Basis:
    asked = policy(host=None, **({"sources": [DATABASE, MEDIA], "job": ROOT} | spec))
    return Basis("orders", asked, None, site, [VAULT])


def pod(asked: Any, kind: Any = "Restore", **spec: Any) -> dict[str, Any]:
    around = basis(**spec)
    order = build_restore_order(kind, asked, around, None)
    assert around.policy is not None
    body = build_request_job(asked, order, "restore", Place(CLUSTER, around.policy.spec.job), "strongroom:1")
    made: dict[str, Any] = body["spec"]["template"]["spec"]
    return made


def mounts(made: dict[str, Any]) -> dict[str, bool]:
    """Paths, and whether they may be written to."""
    return {
        each["mountPath"]: not each.get("readOnly", False) for each in made["containers"][0]["volumeMounts"]
    }


def test_a_claim_is_writable_to_the_restore_alone_and_its_files_keep_their_group():
    planned, restored = pod(request(), "PlanRestore"), pod(request())
    assert mounts(planned)["/strongroom/claims/media"] is False
    assert mounts(restored)["/strongroom/claims/media"] is True
    assert mounts(restored)["/backups"] is False
    assert "fsGroup" in planned["securityContext"]
    assert "fsGroup" not in restored["securityContext"]


@pytest.mark.parametrize(
    ("kind", "special", "added"),
    [
        ("PlanRestore", False, ["DAC_OVERRIDE"]),
        ("Restore", False, ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"]),
        ("Restore", True, ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP"]),
    ],
)
def test_root_has_what_its_work_needs_and_no_more(kind, special, added):
    made = pod(request(allowSpecialFiles=special), kind)
    assert made["containers"][0]["securityContext"]["capabilities"]["add"] == added


def test_a_restore_of_databases_needs_no_root():
    made = pod(request(), sources=[DATABASE], job={})
    assert made["securityContext"]["runAsNonRoot"] is True
    assert made["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_what_was_replaced_in_a_claim_is_dropped_where_it_may_be_written_to():
    replaced = [{"source": "media", "kind": "volume", "original": "media", "keptAs": "media/.x"}]
    asked = request(status={"replaced": replaced})
    around = basis()
    body = build_request_job(
        asked, build_drop_order(asked, around), "drop", Place(CLUSTER, JobSettings(run_as_root=True)), "image"
    )
    assert mounts(body["spec"]["template"]["spec"])["/strongroom/claims/media"] is True


def test_files_go_into_a_claim_of_their_own_without_touching_those_of_the_sources():
    made = pod(request({"mode": "Directory", "persistentVolumeClaim": "rescue"}), job={})
    assert mounts(made)["/strongroom/claims/rescue"] is True
    assert "/strongroom/claims/media" not in mounts(made)


def test_a_health_check_may_fetch_from_the_networks_that_the_operator_allows():
    checked = request(healthCheck={"url": "http://shop/health"})
    assert pod(checked)["containers"][0]["args"][-2:] == ["--reach", "10.0.0.0/8"]
    assert "--reach" not in pod(request())["containers"][0]["args"]


def test_a_drill_as_root_may_become_somebody_else_for_servers_refuse_to_be_root():
    asked = policy(host=None, sources=[DATABASE], job=ROOT)
    done = run(status={"recoveryPoint": "p", "manifestSha256": "0" * 64})
    body = build_drill_job(asked, build_drill_order(asked, done, [VAULT], "uid"), "drill", CLUSTER, "image")
    made = body["spec"]["template"]["spec"]
    assert {"SETUID", "SETGID"} <= set(made["containers"][0]["securityContext"]["capabilities"]["add"])
    assert mounts(made)["/backups"] is False


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (request({"mode": "Directory", "path": "/srv/x"}), "persistentVolumeClaim"),
        (request({"mode": "Directory", "volume": "vol"}), "persistentVolumeClaim"),
        (request(stopServices=[{"name": "shop-web"}]), "spec.stopServices"),
        (request(healthCheck={"exec": {"container": {"name": "c1"}, "command": ["true"]}}), "url"),
        (
            request({"mode": "InPlace", "postgres": {"container": {"name": "c1"}, "user": "u"}}),
            "postgres.host",
        ),
    ],
)
def test_what_only_a_docker_host_has_is_refused_with_the_way_out(asked, words):
    found = find_problem(asked, basis())
    assert found is not None
    assert (found.reason, words in found.message) == (Reason.Unsupported, True)


def test_files_of_a_claim_are_restored_in_place_by_root_alone():
    found = find_problem(request(safetyBackup=False), basis(job={}))
    assert found is not None
    assert "spec.job.runAsRoot" in found.message
    elsewhere = {"mode": "Directory", "persistentVolumeClaim": "rescue"}
    assert find_problem(request(elsewhere), basis(job={})) is None
    only = {"policy": "orders", "latest": True, "sources": ["db"]}
    assert find_problem(request(**{"from": only}), basis(job={})) is None


def test_a_docker_host_mounts_no_claims():
    asked = request({"mode": "InPlace", "host": "local"}, safetyBackup=False)
    found = find_problem(asked, basis(host()))
    assert found is not None
    assert "DockerHost local mounts no persistentVolumeClaim" in found.message


def test_an_api_server_without_pods_says_what_to_name():
    found = find_problem(request(), basis(None))
    assert found is not None
    assert (found.reason, "Name a DockerHost" in found.message) == (Reason.Unsupported, True)


@pytest.mark.parametrize(
    ("drill", "words"),
    [
        ({"image": "postgres:16"}, "spec.job.image"),
        (
            {"application": {"image": "app:1", "port": 80, "path": "/health"}},
            "spec.host",
        ),
    ],
)
def test_a_drill_in_containers_of_its_own_is_a_docker_hosts(drill, words):
    asked = basis(drill={"schedule": "@weekly", **drill}, sources=[DATABASE])
    assert asked.policy is not None
    done = run(status={"phase": "Succeeded", "recoveryPoint": "p", "manifestSha256": "0" * 64})
    drilled = Basis("orders", asked.policy, done, CLUSTER, [VAULT])
    found = find_problem(request({"mode": "Drill"}), drilled)
    assert found is not None
    assert (found.reason, words in found.message) == (Reason.Unsupported, True)


def test_a_store_is_read_where_its_folder_can_be():
    folder = store("disk", local={"path": "/backups"})
    assert [can_be_read(each.spec, CLUSTER) for each in (VAULT, folder)] == [True, False]
    assert [can_be_read(each.spec, host()) for each in (VAULT, folder)] == [False, True]
