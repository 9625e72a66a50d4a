"""What operator and agent may do: no more than they do, and the same on a cluster as on the embedded API."""

from pathlib import Path

import pytest
import yaml

from strongroom.apiserver.builtins.roles import ROLES
from strongroom.cli.hostrights import build_role

RBAC = Path(__file__).parents[2] / "manifests" / "rbac"
REVIEWS = {"authorization.k8s.io", "authentication.k8s.io"}
"""Every user of a cluster may ask what he may do (system:basic-user)."""


def on_a_cluster(part):
    documents = yaml.safe_load_all((RBAC / f"{part}.yaml").read_text())
    rules = [rule for document in documents for rule in document.get("rules", [])]
    return {
        (verb, group, resource)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def embedded(part):
    return {
        (verb, group, resource)
        for rule in ROLES[part]
        for verb in rule.verbs
        for group in rule.groups
        for resource in rule.resources
        if group not in REVIEWS
    }


@pytest.mark.parametrize("part", ["operator", "agent"])
def test_the_embedded_api_grants_what_the_manifests_grant(part):
    assert embedded(part) == on_a_cluster(part)


@pytest.mark.parametrize("part", ["operator", "agent"])
def test_nobody_lists_secrets_and_no_right_is_a_wildcard(part):
    rights = on_a_cluster(part)
    assert {verb for verb, _, resource in rights if resource == "secrets"} <= {"get"}
    assert not [right for right in rights if "*" in right]


def test_the_operator_reads_no_secret_at_all():
    assert not [right for right in on_a_cluster("operator") if right[2] == "secrets"]


def of_a_further_host(*, home):
    return {
        (verb, group, resource)
        for rule in build_role("web-2", home=home)["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_a_further_host_may_do_what_an_agent_may_and_renew_its_own_token():
    assert of_a_further_host(home=True) == on_a_cluster("agent") | {("create", "", "serviceaccounts/token")}


def test_a_further_host_reads_jobs_and_single_secrets_alone_in_other_namespaces():
    assert of_a_further_host(home=False) == {
        right for right in on_a_cluster("agent") if right[2] in {"jobs", "jobs/status", "secrets"}
    }


def test_a_further_host_changes_nothing_of_another_host():
    rules = build_role("web-2", home=True)["rules"]
    own = {"dockerhosts", "dockerhosts/status", "leases", "serviceaccounts/token"}
    for rule in rules:
        if own & set(rule["resources"]) and rule["verbs"] != ["create"]:
            assert all("web-2" in name for name in rule["resourceNames"])
    named = [rule for rule in rules if rule["resources"] == ["serviceaccounts/token"]]
    assert [rule["resourceNames"] for rule in named] == [["strongroom-agent-web-2"]]
