"""The sample repository: every path in it exists and builds, and each state of an object has the health that the docs say."""

import subprocess

import pytest
import yaml
from tests.chart.health import ARGO, FLUX, GITOPS, ask_argo, ask_flux, ask_kstatus
from tests.chart.helm import KUBECTL, ROOT
from tests.chart.objects import find_faults, parse_objects

from strongroom.api.group import API_VERSION
from strongroom.api.kinds import KINDS


def build(folder):
    done = subprocess.run([KUBECTL, "kustomize", folder], text=True, capture_output=True, check=True)
    return parse_objects(done.stdout)


def documents(path):
    return list(yaml.safe_load_all((GITOPS / path).read_text()))


def test_what_flux_applies_is_there():
    folders = {each["spec"]["path"] for each in documents("clusters/production/strongroom.yaml")}
    assert {ROOT / folder for folder in folders} == {GITOPS / "operator", GITOPS / "backups"}
    assert all((ROOT / folder / "kustomization.yaml").is_file() for folder in folders)


def test_what_argo_cd_applies_is_there():
    folders = {each["spec"]["source"]["path"] for each in documents("argocd/applications.yaml")}
    assert {ROOT / folder for folder in folders} == {GITOPS / "operator", GITOPS / "backups"}


def test_no_change_in_git_takes_the_crds_away():
    crds = [each for each in build(GITOPS / "operator") if each["kind"] == "CustomResourceDefinition"]
    assert len(crds) == len(KINDS)
    for crd in crds:
        assert crd["metadata"]["annotations"] == {
            "kustomize.toolkit.fluxcd.io/prune": "disabled",
            "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
        }


@pytest.mark.parametrize("folder", ["operator", "backups"])
def test_every_object_is_one_that_a_strict_server_takes(folder):
    assert [fault for body in build(GITOPS / folder) for fault in find_faults(body)] == []


def test_each_secret_that_the_sample_refers_to_is_one_that_the_vault_gives():
    wanted = yaml.safe_dump_all(build(GITOPS / "backups"))
    for secret in documents("backups/team-a/external-secrets.yaml"):
        keys = [each["secretKey"] for each in secret["spec"]["data"]]
        for key in keys:
            assert f"key: {key}\n" in wanted
        assert f"name: {secret['spec']['target']['name']}\n" in wanted


def test_each_kind_has_its_check():
    assert {key.rpartition("_")[2] for key in ARGO} == {kind.kind for kind in KINDS}
    assert {each["kind"] for each in FLUX} == {kind.kind for kind in KINDS} - {
        "DockerHost"
    }  # agents make those


def body(kind, *, generation=1, conditions=(), spec=None, **status):
    told = [{"type": t, "status": s, "reason": r, "message": f"{t} says so"} for t, s, r in conditions]
    full = {"observedGeneration": 1, "conditions": told} | status if conditions or status else {}
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": "x", "generation": generation},
        "spec": spec or {},
        "status": full,
    }


NOT_USED, NOT_CHECKED = ("Ready", "Unknown", "NotUsed"), ("Ready", "Unknown", "NotChecked")
READY, NOT_READY = ("Ready", "True", "Ready"), ("Ready", "False", "StoreMissing")
FRESH, STALE, NEVER = (
    ("Fresh", "True", "Fresh"),
    ("Fresh", "False", "Stale"),
    ("Fresh", "False", "NoVerifiedBackup"),
)


@pytest.mark.parametrize(
    ("made", "argo", "flux", "kstatus"),
    [
        (body("BackupPolicy"), "Progressing", "in progress", "Current"),
        (body("BackupPolicy", conditions=(READY, FRESH)), "Healthy", "current", "Current"),
        (body("BackupPolicy", conditions=(READY, NEVER)), "Healthy", "current", "Current"),
        (body("BackupPolicy", conditions=(READY, STALE)), "Degraded", "current", "Current"),
        (body("BackupPolicy", conditions=(NOT_READY, NEVER)), "Degraded", "failed", "InProgress"),
        (
            body("BackupPolicy", conditions=(READY, STALE), spec={"suspend": True}),
            "Suspended",
            "current",
            "Current",
        ),
        (
            body("BackupPolicy", conditions=(READY, FRESH), generation=2),
            "Progressing",
            "in progress",
            "InProgress",
        ),
        (body("BackupStore"), "Progressing", "in progress", "Current"),
        (body("BackupStore", conditions=(READY,)), "Healthy", "current", "Current"),
        (body("BackupStore", conditions=(NOT_READY,)), "Degraded", "failed", "InProgress"),
        (body("BackupStore", conditions=(NOT_USED,)), "Healthy", "current", "InProgress"),
        (body("BackupStore", conditions=(NOT_CHECKED,)), "Progressing", "in progress", "InProgress"),
        (body("BackupRun"), "Progressing", "in progress", "Current"),
        (body("BackupRun", phase="Running"), "Progressing", "in progress", "Current"),
        (body("BackupRun", phase="Succeeded"), "Healthy", "current", "Current"),
        (body("BackupRun", phase="Partial"), "Degraded", "failed", "Current"),
        (body("RestoreRequest", phase="AwaitingConfirmation"), "Suspended", "in progress", "Current"),
        (body("RestoreRequest", phase="Failed"), "Degraded", "failed", "Current"),
        (body("RestoreRequest", phase="Succeeded"), "Healthy", "current", "Current"),
    ],
)
def test_a_state_has_its_health(made, argo, flux, kstatus):
    assert (ask_argo(made)[0], ask_flux(made), ask_kstatus(made)) == (argo, flux, kstatus)


def test_the_message_is_that_of_the_condition_that_decided():
    assert ask_argo(body("BackupPolicy", conditions=(NOT_READY, STALE)))[1] == "Ready says so"
    assert ask_argo(body("BackupPolicy", conditions=(READY, STALE)))[1] == "Fresh says so"
    run = body("BackupRun", phase="Failed", conditions=(("Succeeded", "False", "StoreFull"),))
    assert ask_argo(run)[1] == "Succeeded says so"


def test_a_host_without_its_agent_is_degraded_and_one_that_never_joined_is_awaited():
    assert ask_argo(body("DockerHost", conditions=(NOT_READY,)))[0] == "Degraded"
    assert ask_argo(body("DockerHost", conditions=(READY,)))[0] == "Healthy"
    assert ask_argo(body("DockerHost"))[0] == "Progressing"
