"""What samples and documentation tell people to apply: the server takes it, and the operator could carry it out."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.domain import domain_objects as objects

from strongroom.api.backuppolicy import BackupPolicySpec
from strongroom.api.jobsettings import JobSettings
from strongroom.api.resources import BackupPolicy, parse_policy, parse_store
from strongroom.domain.copies import StoreCopy, judge_copies
from strongroom.domain.policies import Surroundings, find_problems
from strongroom.domain.schedule import WORDS, parse_schedule
from strongroom.domain.sites import Cluster

ROOT = Path(__file__).resolve().parents[3]
COMPOSE_STACK = ROOT / "manifests/samples/compose-stack/policies.yaml"
GUIDE = ROOT / "docs/from-scripts.md"
OTHERS = {
    name: (ROOT / f"manifests/samples/{name}.yaml").read_text()
    for name in ("restore", "cluster", "cluster-restore")
}
SAMPLES = {
    "quickstart": (ROOT / "manifests/samples/quickstart.yaml").read_text(),
    "s3-store": (ROOT / "manifests/samples/s3-store.yaml").read_text(),
    "ssh-store": (ROOT / "manifests/samples/ssh-store.yaml").read_text(),
    "three-two-one": (ROOT / "manifests/samples/three-two-one.yaml").read_text(),
    "compose-stack": COMPOSE_STACK.read_text(),
    "from-scripts": "---\n".join(re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)),
}
WORKING = objects.host(status={"engine": {"version": "24.0.7"}})


def policies(text: str) -> list[BackupPolicy]:
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(text))
    found = [each for each in documents if each["kind"] == "BackupPolicy"]
    return [parse_policy(each | {"metadata": objects.meta(each["metadata"]["name"])}) for each in found]


@pytest.mark.parametrize("name", [*SAMPLES, *OTHERS])
def test_kubectl_applies_it_with_every_field_known(api, name):
    text = (SAMPLES | OTHERS)[name]
    done = subprocess.run(
        ["kubectl", "--kubeconfig", api.admin, "apply", "--dry-run=server", "--validate=strict", "-f", "-"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == text.count("\nkind: ")


@pytest.mark.parametrize("name", SAMPLES)
def test_every_policy_of_it_can_be_carried_out(name):
    found = policies(SAMPLES[name])
    assert found
    around = Surroundings(
        stores={name: objects.store(name) for name in ("disk", "vault", "nas")}, site=WORKING
    )
    assert [problem for policy in found for problem in find_problems(policy, around)] == []


def test_the_policy_of_a_cluster_can_be_carried_out_there():
    documents = [
        each | {"metadata": objects.meta(each["metadata"]["name"])}
        for each in yaml.safe_load_all(OTHERS["cluster"])
    ]
    stores = {
        each["metadata"]["name"]: parse_store(each) for each in documents if each["kind"] == "BackupStore"
    }
    (policy,) = policies(OTHERS["cluster"])
    around = Surroundings(stores=stores, site=Cluster("default", JobSettings()), runs_pods=True)
    assert list(find_problems(policy, around)) == []


def test_the_sample_of_three_two_one_is_three_two_one():
    documents = list(yaml.safe_load_all(SAMPLES["three-two-one"]))
    stores = [each["spec"] for each in documents if each["kind"] == "BackupStore"]
    copies = [StoreCopy(str(n), objects.store(**spec).spec) for n, spec in enumerate(stores)]
    assert judge_copies(copies, objects.CREATED).status == "True"


def test_the_policies_of_the_compose_stack_do_what_its_scripts_and_crontab_did():
    specs: dict[str, BackupPolicySpec] = {
        each.meta.name: each.spec for each in policies(COMPOSE_STACK.read_text())
    }
    database, media = specs["compose-stack-database"], specs["compose-stack-media"]
    assert (database.schedule, database.retention.keep_within) == ("0 2 * * *", "7d")
    assert (media.schedule, media.retention.keep_within) == ("0 3 * * 0", "30d")
    assert specs["compose-stack-config"].schedule is None


def test_the_compose_stack_has_the_services_and_volumes_that_its_policies_name():
    stack = yaml.safe_load((COMPOSE_STACK.parent / "docker-compose.yml").read_text())
    project = COMPOSE_STACK.parent.name
    for policy in policies(COMPOSE_STACK.read_text()):
        for source in policy.spec.sources:
            if source.postgres is not None and source.postgres.container is not None:
                assert source.postgres.container.project == project
                assert source.postgres.container.service in stack["services"]
            if source.files is not None and source.files.volume is not None:
                assert source.files.volume in {f"{project}_{volume}" for volume in stack["volumes"]}
            if source.config is not None:
                assert source.config.project == project


def test_the_schedules_that_the_guide_shows_are_schedules():
    shown = re.findall(r'schedule: "([^"]+)"', GUIDE.read_text())
    assert len(shown) >= 4
    assert all(parse_schedule(each, "UTC") for each in (*shown, *WORDS))
