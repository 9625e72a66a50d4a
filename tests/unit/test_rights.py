"""What operator and agent may do: no more than they do, and the same on a cluster as on the embedded API."""

from pathlib import Path

import pytest
import yaml

from strongroom.apiserver.builtins.roles import ROLES

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
