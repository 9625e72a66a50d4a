"""Jobs that the cluster runs: what their pods may do, what they are given, and what a policy may ask of them."""

from dataclasses import replace

import pytest
from tests.unit.domain.domain_objects import CREATED, host, policy, run, store

from strongroom.api.errors import Reason
from strongroom.api.jobsettings import JobSettings, PodResources
from strongroom.domain.jobs import build_job, build_store_check_job
from strongroom.domain.jobstates import parse_job
from strongroom.domain.policies import Surroundings, find_problems
from strongroom.domain.sites import Cluster

DEFAULTS = JobSettings(image="worker:1", node_selector={"disk": "ssd", "zone": "a"}, start_deadline="5m")
CLUSTER = Cluster("default", DEFAULTS)
MEDIA = {"name": "media", "files": {"persistentVolumeClaim": "media"}}
DATABASE = {
    "name": "db",
    "postgres": {
        "host": "db",
        "user": "u",
        "databases": ["d"],
        "passwordSecret": {"name": "pg", "key": "password"},
    },
}
CLAIM = store("vault", local={"path": "/backups", "persistentVolumeClaim": "backups"})


def pod_of(**spec):
    asked = policy(host=None, sources=[DATABASE, MEDIA], **spec)
    body = build_job(run(), asked, [CLAIM], CLUSTER, [], "strongroom:1")
    return body["spec"]["template"]["spec"]


def volume(pod, name):
    return next(each for each in pod["volumes"] if each["name"] == name)


def mounts(pod):
    return {each["name"]: each for each in pod["containers"][0]["volumeMounts"]}


def test_the_pod_has_no_privilege_no_token_and_writes_only_to_folders_of_its_own():
    pod = pod_of()
    (worker,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert worker["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {name for name, mount in mounts(pod).items() if not mount.get("readOnly")}
    assert writable == {"result", "scratch", "store-0"}


def test_claims_of_sources_are_mounted_read_only_and_those_of_stores_at_their_path():
    pod = pod_of()
    assert volume(pod, "source-0")["persistentVolumeClaim"] == {"claimName": "media", "readOnly": True}
    assert mounts(pod)["source-0"]["mountPath"] == "/strongroom/claims/media"
    assert volume(pod, "store-0")["persistentVolumeClaim"] == {"claimName": "backups"}
    assert mounts(pod)["store-0"]["mountPath"] == "/backups"


def test_a_store_is_read_only_to_a_job_that_only_reads_it():
    body = build_store_check_job(CLAIM, CLUSTER, CREATED, "strongroom:1")
    assert "readOnly" not in mounts(body["spec"]["template"]["spec"])["store-0"]  # it writes its probe
    assert (body["spec"]["ttlSecondsAfterFinished"], "managedBy" in body["spec"]) == (604_800, False)


def test_a_secret_is_named_with_the_keys_that_are_needed_and_a_missing_one_is_left_for_the_worker_to_tell():
    assert volume(pod_of(), "secret-0")["secret"] == {
        "secretName": "pg",
        "defaultMode": 0o440,
        "items": [{"key": "password", "path": "password"}],
        "optional": True,
    }


def test_a_policy_says_how_its_pods_are_and_the_clusters_defaults_stand_where_it_is_silent():
    own = {
        "nodeSelector": {"zone": "b"},
        "resources": {"limits": {"memory": "1Gi"}},
        "priorityClassName": "low",
    }
    pod = pod_of(job=own)
    assert pod["nodeSelector"] == {"disk": "ssd", "zone": "b"}
    assert pod["priorityClassName"] == "low"
    assert pod["containers"][0]["image"] == "worker:1"
    assert pod["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}
    assert JobSettings().over(DEFAULTS) == DEFAULTS
    assert JobSettings(resources=PodResources()).over(DEFAULTS).resources == PodResources()


def test_root_is_asked_for_in_so_many_words_and_gets_one_capability():
    pod = pod_of(job={"runAsRoot": True})
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsNonRoot"]) == (0, False)
    assert pod["containers"][0]["securityContext"]["capabilities"] == {
        "drop": ["ALL"],
        "add": ["DAC_OVERRIDE"],
    }


def test_a_volume_in_use_draws_the_pod_to_its_node_unless_the_policy_says_where():
    def affinity(**spec):
        asked = policy(host=None, sources=[MEDIA], **spec)
        body = build_job(run(), asked, [CLAIM], replace(CLUSTER, node="node-7"), [], "strongroom:1")
        return body["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]

    (near,) = affinity()["preferredDuringSchedulingIgnoredDuringExecution"]
    assert near["preference"]["matchFields"][0]["values"] == ["node-7"]
    own = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}
    assert affinity(job={"affinity": own}) == own["nodeAffinity"]


def test_labels_of_a_policys_pods_never_hide_whose_they_are():
    body = build_job(
        run(),
        policy(
            host=None, sources=[MEDIA], job={"podLabels": {"app.kubernetes.io/managed-by": "me", "team": "a"}}
        ),
        [CLAIM],
        CLUSTER,
        [],
        "strongroom:1",
    )
    labels = body["spec"]["template"]["metadata"]["labels"]
    assert (labels["app.kubernetes.io/managed-by"], labels["team"]) == ("strongroom", "a")


def job_state(body, **annotations):
    body["metadata"] |= {
        "uid": "u",
        "resourceVersion": "1",
        "creationTimestamp": CREATED.isoformat(),
        "annotations": {f"strongroom.dev/{name}": text for name, text in annotations.items()},
    }
    return parse_job(body)


def test_a_job_of_the_cluster_has_ended_only_when_what_its_pods_left_was_brought_to_it():
    body = build_job(run(), policy(host=None, sources=[MEDIA]), [CLAIM], CLUSTER, [], "strongroom:1")
    body["status"] = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    untold = job_state(body)
    assert (untold.ending, untold.own_ending is not None, untold.is_clusters) == (None, True, True)
    assert untold.deadline.days == 30  # an operator that was away for long does not find it overdue
    lost = job_state(body, lost='{"reason": "PodNotStarted", "message": "pod x: ErrImagePull"}')
    assert lost.ending is not None
    assert lost.lost is not None
    assert lost.lost.message == "pod x: ErrImagePull"
    assert job_state(body, result="{}").ending is not None


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"sources": [{"name": "db", "postgres": {"container": {"name": "db"}}}]}, "postgres.host"),
        ({"sources": [{"name": "media", "files": {"path": "/srv"}}]}, "persistentVolumeClaim"),
        ({"sources": [{"name": "etc", "config": {"paths": ["/etc"], "allowUnencrypted": True}}]}, "config"),
        ({"sources": [DATABASE], "hooks": {"stop": [{"name": "app"}]}}, "hooks"),
    ],
)
def test_what_only_a_docker_host_has_is_refused_in_a_cluster_with_the_way_out(spec, words):
    around = Surroundings(stores={"vault": CLAIM}, site=CLUSTER, runs_pods=True)
    found = next(find_problems(policy(host=None, **spec), around))
    assert (found.reason, found.blocks) == (Reason.Unsupported, True)
    assert words in found.message
    assert "spec.host" in found.message


@pytest.mark.parametrize(
    ("local", "words"),
    [
        ({"path": "/backups"}, "persistentVolumeClaim"),
        ({"path": "/usr/backups", "persistentVolumeClaim": "c"}, "/backups"),
        ({"path": "/strongroom/", "persistentVolumeClaim": "c"}, "/backups"),
    ],
)
def test_a_folder_is_a_store_in_a_cluster_only_as_a_claim_at_a_place_of_its_own(local, words):
    around = Surroundings(stores={"vault": store(local=local)}, site=CLUSTER, runs_pods=True)
    found = next(find_problems(policy(host=None, sources=[DATABASE]), around))
    assert (found.reason, words in found.message) == (Reason.InvalidSpec, True)


def test_claims_are_no_sources_and_no_stores_for_docker_hosts():
    around = Surroundings(stores={"vault": CLAIM}, site=host(), runs_pods=True)
    found = [problem.message for problem in find_problems(policy(sources=[MEDIA]), around)]
    assert len(found) == 2
    assert all("DockerHost local cannot mount" in message for message in found)


def test_a_policy_whose_database_and_store_are_the_clusters_own_has_no_problem():
    around = Surroundings(stores={"vault": CLAIM}, site=CLUSTER, runs_pods=True)
    assert list(find_problems(policy(host=None, sources=[DATABASE, MEDIA]), around)) == []
