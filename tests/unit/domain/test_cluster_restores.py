"""Restores and drills that the cluster carries out: what their pods may do, and what is refused with a way out."""

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.domain.domain_objects import CREATED, host, meta, policy, run, store

from strongroom.api.errors import Reason
from strongroom.api.jobsettings import JobSettings
from strongroom.api.labels import LOST_ANNOTATION, PROGRESS_ANNOTATION, RESULT_ANNOTATION
from strongroom.api.resources import parse_restore
from strongroom.domain.drillorders import build_drill_order
from strongroom.domain.jobbodies import Undoing
from strongroom.domain.jobs import Place, build_drill_job, build_request_job
from strongroom.domain.jobstates import find_work, parse_job
from strongroom.domain.places import can_be_read
from strongroom.domain.restoreorders import Basis, build_drop_order, build_restore_order
from strongroom.domain.restoreproblems import find_problem
from strongroom.domain.restores import RestoreFacts, next_step
from strongroom.domain.restoresteps import Finish, MakeJob
from strongroom.domain.sites import Cluster
from strongroom.domain.targets import Place as Site
from strongroom.domain.targets import find_targets

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
    args = pod(checked)["containers"][0]["args"]
    assert args[args.index("--reach") + 1] == "10.0.0.0/8"
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


def test_an_application_of_a_drill_is_started_on_docker_hosts_alone():
    application = {"image": "app:1", "port": 80, "path": "/health"}
    asked = basis(drill={"schedule": "@weekly", "application": application}, sources=[DATABASE])
    assert asked.policy is not None
    done = run(status={"phase": "Succeeded", "recoveryPoint": "p", "manifestSha256": "0" * 64})
    drilled = Basis("orders", asked.policy, done, CLUSTER, [VAULT])
    found = find_problem(request({"mode": "Drill"}), drilled)
    assert found is not None
    assert (found.reason, "spec.host" in found.message) == (Reason.Unsupported, True)


def drill_pod(**spec: Any) -> dict[str, Any]:
    asked = policy(host=None, sources=[DATABASE, MEDIA], **spec)
    done = run(status={"recoveryPoint": "p", "manifestSha256": "0" * 64})
    body = build_drill_job(asked, build_drill_order(asked, done, [VAULT], "uid"), "drill", CLUSTER, "image")
    made: dict[str, Any] = body["spec"]["template"]
    return made


def test_the_servers_of_a_drill_are_containers_of_the_same_pod_with_no_more_rights_than_the_worker():
    template = drill_pod(drill={"schedule": "@weekly", "image": "postgres:16", "memory": "512Mi"})
    worker, server = template["spec"]["containers"]
    assert (server["image"], server["resources"]["limits"]["memory"]) == ("postgres:16", str(512 << 20))
    assert server["securityContext"] == worker["securityContext"]
    assert "listen_addresses=" in server["args"]
    shared = {"name": "drill-0", "mountPath": "/strongroom/drill/db"}
    assert shared in server["volumeMounts"]
    assert shared in worker["volumeMounts"]
    assert worker["args"][-2:] == ["--drill-servers", "/strongroom/drill"]
    assert "postgres:x:10001:10001" in template["metadata"]["annotations"]["strongroom.dev/users"]
    names = [volume["name"] for volume in template["spec"]["volumes"]]
    assert len(names) == len(set(names))


def test_without_an_image_a_drill_has_the_worker_alone():
    assert len(drill_pod(drill={"schedule": "@weekly"})["spec"]["containers"]) == 1


def test_a_store_is_read_where_its_folder_can_be():
    folder = store("disk", local={"path": "/backups"})
    assert [can_be_read(each.spec, CLUSTER) for each in (VAULT, folder)] == [True, False]
    assert [can_be_read(each.spec, host()) for each in (VAULT, folder)] == [False, True]


PLAN = {
    "recoveryPoint": "p",
    "run": "r1",
    "slot": CREATED.isoformat(),
    "manifestSha256": "0" * 64,
    "stores": ["vault"],
    "items": [],
}
PROGRESS = {"stage": "Swap", "time": CREATED.isoformat()}


def running(**status: Any) -> Any:
    return request(status={"phase": "Running", "job": "rr-job", "plan": PLAN, **status}, safetyBackup=False)


def ended(asked: Any, result: dict[str, Any] | None = None, *, failed: int = 3, undoes: bool = False) -> Any:
    """A Job of it that has ended: with that result, or without a word."""
    order = build_restore_order("Restore", asked, basis(), asked.status.plan)
    place = Place(CLUSTER, JobSettings(), Undoing("{}") if undoes else None)
    body = build_request_job(asked, order, "undo" if undoes else "restore", place, "image")
    notes = {PROGRESS_ANNOTATION: json.dumps(PROGRESS)}
    if result is None:
        notes[LOST_ANNOTATION] = json.dumps({"reason": "WorkerLost", "message": "OOMKilled"})
    else:
        base = {"runUid": "uid-rr", "outcome": "Failed", "reason": "SourceUnreachable"}
        times = {"startedAt": CREATED.isoformat(), "finishedAt": CREATED.isoformat()}
        notes[RESULT_ANNOTATION] = json.dumps(base | times | result)
    body["metadata"] |= {"uid": "uid-job", "resourceVersion": "1", "creationTimestamp": CREATED.isoformat()}
    body["metadata"]["annotations"] = body["metadata"].get("annotations", {}) | notes
    good = result is not None and result.get("outcome") == "Succeeded"
    condition = {"type": "Complete" if good else "Failed", "status": "True", "reason": "x"}
    body["status"] = {"conditions": [condition], "failed": failed}
    return parse_job(body)


def facts(asked: Any, **jobs: Any) -> RestoreFacts:
    return RestoreFacts(
        request=asked,
        problem=None,
        jobs=jobs,
        safety=None,
        needs_safety=False,
        busy=None,
        host_is_alive=True,
        now=CREATED,
        can_undo=True,
    )


def test_workers_that_ended_without_a_word_are_followed_by_one_that_puts_back_the_old():
    asked = running()
    assert next_step(facts(asked, restore=ended(asked))) == MakeJob("undo")


def test_what_was_put_back_is_told_with_the_failure():
    asked = running()
    outcome = {"steps": [], "rolledBack": True}
    undo = ended(
        asked,
        {"outcome": "Succeeded", "reason": "Succeeded", "message": "the old is back", "restore": outcome},
        undoes=True,
    )
    step = next_step(facts(asked, restore=ended(asked), undo=undo))
    assert isinstance(step, Finish)
    assert (step.succeeded, step.reason, "the old is back" in step.message) == (False, "WorkerLost", True)
    assert step.outcome is not None
    assert step.outcome.rolled_back


def test_what_cannot_be_put_back_is_the_worst_and_said_so():
    asked = running()
    step = next_step(facts(asked, restore=ended(asked), undo=ended(asked, undoes=True)))
    assert isinstance(step, Finish)
    assert step.reason == Reason.RollBackFailed.name


def test_a_job_that_was_deleted_is_undone_too_and_an_agents_is_left_to_the_agent():
    asked = running()
    assert next_step(facts(asked)) == MakeJob("undo")
    left = next_step(replace(facts(asked), can_undo=False))
    assert isinstance(left, Finish)


def test_a_single_worker_that_could_not_begin_leaves_nothing_to_undo():
    asked = running()
    only = next_step(facts(asked, restore=ended(asked, {"message": "down"}, failed=1)))
    assert isinstance(only, Finish)
    again = next_step(facts(asked, restore=ended(asked, {"message": "down"}, failed=2)))
    assert again == MakeJob("undo")


def test_a_restores_job_stays_until_it_is_let_go_and_knows_what_the_last_worker_noted():
    asked = running()
    restored, undone = ended(asked), ended(asked, undoes=True)
    assert (restored.is_held, undone.is_held, undone.note) == (True, True, "{}")


def test_services_of_the_cluster_are_asked_for_and_two_restores_that_stop_one_take_turns():
    asked = request(stopServices=[{"deployment": "web"}, {"statefulSet": "queue"}])
    assert find_problem(asked, basis()) is None
    order = build_restore_order("Restore", asked, basis(), None)
    work = find_work(order)
    assert work is not None
    assert {"x: deployment/web", "x: statefulset/queue"} <= {
        target.server for target in find_targets(work, Site("x"))
    }


def test_a_docker_host_scales_nothing():
    asked = request(
        {"mode": "NewDatabase", "database": "copy", "host": "local"}, stopServices=[{"deployment": "web"}]
    )
    found = find_problem(asked, basis(host(), sources=[DATABASE]))
    assert found is not None
    assert "spec.stopServices" in found.message
