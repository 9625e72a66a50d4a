"""What operator and agent may do: no more than they do, and the same on a cluster as on the embedded API."""

import ast
from pathlib import Path

import pytest

import strongroom.controllers
from strongroom.agent import rights as agent_rights
from strongroom.apiserver.builtins.roles import ROLES
from strongroom.cli.hostrights import build_role
from strongroom.controllers import rights
from strongroom.kube import kinds
from strongroom.kube.rights import Right, build_rules, on

REVIEWS = {"authorization.k8s.io", "authentication.k8s.io"}
"""Every user of a cluster may ask what he may do (system:basic-user)."""
CONTROLLERS = Path(strongroom.controllers.__file__).parent
CALLS = {
    "get": {"get"},
    "list": {"list"},
    "create": {"create"},
    "ensure": {"get", "create"},
    "patch": {"patch"},
    "delete": {"delete"},
    "write_status": {"patch"},
    "patch_status": {"patch"},
}
DECLARED = {
    "operator": (*rights.NAMESPACE, *rights.OWN),
    "agent": (*agent_rights.SERVED, *agent_rights.HOME),
}


def flat(some):
    return {(verb, right.group, right.resource) for right in some for verb in right.verbs}


def of_rules(rules):
    return {
        (verb, group, resource)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


@pytest.mark.parametrize("part", ["operator", "agent"])
def test_the_embedded_api_grants_what_is_declared(part):
    granted = {
        (verb, group, resource)
        for rule in ROLES[part]
        for verb in rule.verbs
        for group in rule.groups
        for resource in rule.resources
        if group not in REVIEWS
    }
    assert granted == flat(DECLARED[part])


def test_the_operator_reads_no_secret_at_all():
    every = (*DECLARED["operator"], *rights.SERVICES)
    assert not [right for right in flat(every) if right[2].startswith("secrets")]


def test_an_agent_reads_secrets_by_name_and_lists_none():
    assert {verb for verb, _, resource in flat(DECLARED["agent"]) if resource == "secrets"} == {"get"}


@pytest.mark.parametrize(
    ("group", "resource", "verbs"),
    [
        ("", "secrets", ("get", "list")),
        ("", "secrets", ("watch",)),
        ("*", "jobs", ("get",)),
        ("batch", "*", ("get",)),
        ("batch", "jobs", ("*",)),
        ("rbac.authorization.k8s.io", "roles", ("escalate",)),
    ],
)
def test_a_wildcard_a_list_of_secrets_and_an_unheard_of_verb_cannot_even_be_declared(group, resource, verbs):
    with pytest.raises(ValueError, match=r"right|Secrets"):
        Right(group, resource, verbs)


def test_rules_hold_each_right_once():
    rules = build_rules(
        [on(kinds.JOBS, "delete", "get"), on(kinds.JOBS, "get"), on(kinds.RUNS, "get", sub="status")]
    )
    assert rules == [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "delete"]},
        {"apiGroups": ["strongroom.dev"], "resources": ["backupruns/status"], "verbs": ["get"]},
    ]


def asked(module):
    """(verb, group, resource) of each call in a module whose kind is written there."""
    for node in ast.walk(ast.parse((CONTROLLERS / f"{module}.py").read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        kind = getattr(kinds, getattr(node.args[0], "id", ""), None)
        name = node.func.attr
        if name == "read_log":
            yield "get", "", "pods/log"
        if name not in CALLS or not isinstance(kind, kinds.ApiKind):
            continue
        of_status = name.endswith("status") or any(word.arg == "subresource" for word in node.keywords)
        for verb in CALLS[name]:
            yield verb, kind.group, kind.plural + ("/status" if of_status else "")


@pytest.mark.parametrize("module", sorted(path.stem for path in CONTROLLERS.glob("*.py")))
def test_what_a_controller_asks_of_the_api_it_declares(module):
    wanted = set(asked(module))
    if wanted:
        code = __import__(f"strongroom.controllers.{module}", fromlist=["RIGHTS"])
        assert wanted - flat(code.RIGHTS) == set()
        assert flat(code.RIGHTS) <= flat((*rights.NAMESPACE, *rights.SERVICES))


def of_a_further_host(*, home):
    return of_rules(build_role("web-2", home=home)["rules"])


def test_a_further_host_may_do_what_an_agent_may_and_renew_its_own_token():
    assert of_a_further_host(home=True) == flat((*DECLARED["agent"], *agent_rights.TOKEN))


def test_a_further_host_reads_jobs_and_single_secrets_alone_in_other_namespaces():
    assert of_a_further_host(home=False) == flat(agent_rights.SERVED)
    assert {resource for _, _, resource in of_a_further_host(home=False)} == {
        "jobs",
        "jobs/status",
        "secrets",
    }


def test_a_further_host_changes_nothing_of_another_host():
    rules = build_role("web-2", home=True)["rules"]
    own = {"dockerhosts", "dockerhosts/status", "leases", "serviceaccounts/token"}
    for rule in rules:
        if own & set(rule["resources"]) and rule["verbs"] != ["create"]:
            assert all("web-2" in name for name in rule["resourceNames"])
    named = [rule for rule in rules if rule["resources"] == ["serviceaccounts/token"]]
    assert [rule["resourceNames"] for rule in named] == [["strongroom-agent-web-2"]]
