"""Rights as objects, and tokens of service accounts: evaluated, ended and revoked as on a cluster."""

import base64
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.integration.apiserver.test_objects import refused

from strongroom.apiserver.auth.accounts import Account, AccountTokens
from strongroom.apiserver.auth.jwts import ensure_signing_key, sign

RBAC = "/apis/rbac.authorization.k8s.io/v1"


def make_account(api: httpx.Client, namespace: str, name: str = "robot") -> Account:
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    made = api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", json=body)
    assert made.status_code == 201, made.text
    return Account(namespace, name, made.json()["metadata"]["uid"])


def ask_for_token(client: httpx.Client, account: Account, **spec) -> httpx.Response:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}/token"
    return client.post(path, json=body)


def token_of(api: httpx.Client, account: Account) -> str:
    return ask_for_token(api, account).json()["status"]["token"]


def grant(api: httpx.Client, account: Account, *rules: dict, kind: str = "Role") -> None:
    """A role with these rules, bound to the account in its namespace."""
    meta = {"name": account.name}
    scope = f"{RBAC}/namespaces/{account.namespace}"
    roles = f"{scope}/roles" if kind == "Role" else f"{RBAC}/clusterroles"
    if kind == "ClusterRole":
        meta = {"name": f"{account.namespace}:{account.name}"}
    body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": meta, "rules": rules}
    assert (made := api.post(roles, json=body)).status_code == 201, made.text
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": account.name},
        "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": meta["name"]},
    }
    assert (made := api.post(f"{scope}/rolebindings", json=binding)).status_code == 201, made.text


@pytest.fixture
def account(api, namespace):
    return make_account(api, namespace)


@pytest.fixture
def robot(server, api, account):
    """A client that is the account."""
    with server.client() as client:
        client.headers["authorization"] = f"Bearer {token_of(api, account)}"
        yield client


def test_a_token_says_whose_it_is_and_when_it_ends(api, account):
    answer = ask_for_token(api, account, expirationSeconds=7200)
    assert answer.status_code == 201
    status = answer.json()["status"]
    claims = json.loads(base64.urlsafe_b64decode(status["token"].split(".")[1] + "=="))
    assert claims["sub"] == account.user_name
    assert claims["kubernetes.io"]["serviceaccount"] == {"name": account.name, "uid": account.uid}
    assert claims["exp"] - claims["iat"] == 7200
    assert datetime.fromisoformat(status["expirationTimestamp"]).timestamp() == claims["exp"]


def test_a_token_makes_its_user_and_groups(robot, account):
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    info = robot.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json=review).json()["status"]
    assert info["userInfo"]["username"] == f"system:serviceaccount:{account.namespace}:robot"
    assert info["userInfo"]["uid"] == account.uid
    assert f"system:serviceaccounts:{account.namespace}" in info["userInfo"]["groups"]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"expirationSeconds": 599}, "may not specify a duration less than 10 minutes"),
        ({"expirationSeconds": (1 << 32) + 1}, "may not specify a duration larger than 2^32 seconds"),
        ({"audiences": ["elsewhere"]}, 'Unsupported value: "elsewhere"'),
        ({"boundObjectRef": {"kind": "Pod", "name": "p"}}, "not served here"),
    ],
)
def test_a_request_for_an_impossible_token_is_refused(api, account, spec, text):
    refused(ask_for_token(api, account, **spec), 422, "Invalid", text)


def test_a_token_for_an_absent_account_is_refused(api, namespace):
    refused(ask_for_token(api, Account(namespace, "nobody", "")), 404, "NotFound")


def test_without_a_grant_an_account_may_only_ask_about_itself(robot, namespace):
    refused(robot.get(f"/api/v1/namespaces/{namespace}/configmaps"), 403, "Forbidden")
    assert robot.get("/apis").status_code == 200


def test_a_role_holds_in_its_namespace_and_nowhere_else(api, robot, account):
    grant(api, account, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]})
    assert robot.get(f"/api/v1/namespaces/{account.namespace}/configmaps").status_code == 200
    refused(robot.get("/api/v1/namespaces/default/configmaps"), 403, "Forbidden")
    refused(robot.get("/api/v1/configmaps"), 403, "Forbidden", "at the cluster scope")


def test_a_cluster_role_bound_in_a_namespace_holds_there_only(api, robot, account):
    rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}
    grant(api, account, rule, kind="ClusterRole")
    assert robot.get(f"/api/v1/namespaces/{account.namespace}/secrets").status_code == 200
    refused(robot.get("/api/v1/namespaces/default/secrets"), 403, "Forbidden")


def test_a_cluster_role_binding_holds_everywhere_for_groups_and_users(api, robot, account):
    name = f"{account.namespace}:readers"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}
    api.post(f"{RBAC}/clusterroles", json={"metadata": {"name": name}, "rules": [rule]})
    subject = {"kind": "Group", "name": f"system:serviceaccounts:{account.namespace}"}
    binding = {"metadata": {"name": name}, "subjects": [subject]}
    binding["roleRef"] = {"kind": "ClusterRole", "name": name}
    assert api.post(f"{RBAC}/clusterrolebindings", json=binding).status_code == 201
    assert robot.get("/api/v1/configmaps").status_code == 200


def test_resource_names_cover_requests_of_that_name_alone(api, robot, account):
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["mine"],
        "verbs": ["get", "list", "create"],
    }
    grant(api, account, rule)
    path = f"/api/v1/namespaces/{account.namespace}/configmaps"
    assert api.post(path, json={"metadata": {"name": "mine"}}).status_code == 201
    assert robot.get(f"{path}/mine").status_code == 200
    refused(robot.get(f"{path}/other"), 403, "Forbidden")
    refused(robot.get(path), 403, "Forbidden")
    refused(robot.post(path, json={"metadata": {"name": "mine"}}), 403, "Forbidden")


def test_a_right_that_is_taken_away_is_gone_at_once(api, robot, account):
    grant(api, account, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]})
    path = f"/api/v1/namespaces/{account.namespace}/configmaps"
    assert robot.get(path).status_code == 200
    api.delete(f"{RBAC}/namespaces/{account.namespace}/rolebindings/robot")
    refused(robot.get(path), 403, "Forbidden")


@pytest.mark.parametrize("taken", ["rolebinding", "account"])
def test_an_open_watch_tells_nothing_more_once_the_right_is_gone(api, robot, account, taken):
    grant(api, account, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["watch"]})
    path = f"/api/v1/namespaces/{account.namespace}/configmaps"
    with robot.stream("GET", path, params={"watch": "true"}) as watching:
        lines = watching.iter_lines()
        api.post(path, json={"metadata": {"name": "before"}})
        assert json.loads(next(lines))["object"]["metadata"]["name"] == "before"
        if taken == "account":
            api.delete(f"/api/v1/namespaces/{account.namespace}/serviceaccounts/robot")
        else:
            api.delete(f"{RBAC}/namespaces/{account.namespace}/rolebindings/robot")
        api.post(path, json={"metadata": {"name": "after"}})
        assert list(lines) == []


def test_a_right_to_a_subresource_is_not_one_to_the_object(api, robot, account):
    rule = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}
    grant(api, account, {**rule, "resourceNames": ["robot"]})
    assert ask_for_token(robot, account).status_code == 201
    refused(ask_for_token(robot, make_account(api, account.namespace, "other")), 403, "Forbidden")
    path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts"
    refused(robot.get(f"{path}/robot"), 403, "Forbidden")
    refused(robot.post(path, json={}), 403, "Forbidden")


def test_deleting_the_account_revokes_its_tokens_for_ever(api, robot, account):
    assert robot.get("/apis").status_code == 200
    api.delete(f"/api/v1/namespaces/{account.namespace}/serviceaccounts/robot")
    refused(robot.get("/apis"), 401, "Unauthorized")
    make_account(api, account.namespace)
    refused(robot.get("/apis"), 401, "Unauthorized")


def test_a_token_that_has_ended_is_refused(server, robot, account):
    def yesterday() -> datetime:
        return datetime.now(UTC) - timedelta(days=1)

    key = ensure_signing_key(server.state_dir / "pki" / "accounts.key")
    tokens = AccountTokens(key, lambda *_: account.uid, yesterday)
    token, _ = tokens.issue(account, timedelta(hours=1))
    assert tokens.find_user(token) is not None
    robot.headers["authorization"] = f"Bearer {token}"
    refused(robot.get("/apis"), 401, "Unauthorized")


def test_a_token_of_another_control_plane_is_refused(robot, account, tmp_path):
    foreign = AccountTokens(ensure_signing_key(tmp_path / "key"), lambda *_: account.uid)
    robot.headers["authorization"] = f"Bearer {foreign.issue(account, timedelta(hours=1))[0]}"
    refused(robot.get("/apis"), 401, "Unauthorized")


def test_a_changed_or_unsigned_token_is_refused(server, api, robot, account):
    head, body, signature = token_of(api, account).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["exp"] += 3600
    longer = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for token in (
        f"{head}.{longer}.{signature}",
        f"{none}.{body}.",
        f"{none}.{body}.{signature}",
        f"{head}.{body}.AAAA",
        f"{head}.{body}",
        "..",
        "%.%.%",
    ):
        robot.headers["authorization"] = f"Bearer {token}"
        refused(robot.get("/apis"), 401, "Unauthorized")


def test_signed_claims_that_are_no_account_make_no_user(server, robot):
    key = ensure_signing_key(server.state_dir / "pki" / "accounts.key")
    for claims in ({}, {"iss": "strongroom"}, {"kubernetes.io": {"namespace": "default"}}):
        robot.headers["authorization"] = f"Bearer {sign(claims, key)}"
        refused(robot.get("/apis"), 401, "Unauthorized")


def test_a_binding_never_changes_its_role(api, account):
    grant(api, account, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]})
    path = f"{RBAC}/namespaces/{account.namespace}/rolebindings/robot"
    merge = {"content-type": "application/merge-patch+json"}
    changed = api.patch(path, json={"roleRef": {"name": "other"}}, headers=merge)
    refused(changed, 422, "Invalid", "cannot change roleRef")


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"apiGroups": [""], "resources": ["pods"], "verbs": []}, "verbs must contain at least one value"),
        ({"resources": ["pods"], "verbs": ["get"]}, "resource rules must supply at least one api group"),
        ({"apiGroups": [""], "verbs": ["get"]}, "resource rules must supply at least one resource"),
        ({"nonResourceURLs": ["/healthz"], "verbs": ["get"]}, "namespaced rules cannot apply"),
    ],
)
def test_a_rule_that_grants_nothing_is_refused(api, namespace, rule, text):
    body = {"metadata": {"name": "bad"}, "rules": [rule]}
    refused(api.post(f"{RBAC}/namespaces/{namespace}/roles", json=body), 422, "Invalid", text)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ({"kind": "ServiceAccount", "name": "robot"}, "subjects[0].namespace: Required value"),
        ({"kind": "Robot", "name": "robot"}, 'subjects[0].kind: Unsupported value: "Robot"'),
        ({"kind": "User", "name": ""}, "subjects[0].name: Required value"),
        ({"kind": "User", "name": "a", "apiGroup": "x"}, "subjects[0].apiGroup: Unsupported value"),
    ],
)
def test_a_subject_that_names_nobody_is_refused(api, namespace, subject, text):
    body = {
        "metadata": {"name": "bad"},
        "subjects": [subject],
        "roleRef": {"kind": "Role", "name": "r"},
    }
    refused(api.post(f"{RBAC}/namespaces/{namespace}/rolebindings", json=body), 422, "Invalid", text)


def test_reviews_answer_by_the_same_rules_as_the_gate(api, robot, account):
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"], "verbs": ["get"]}
    grant(api, account, rule)

    def may(**attributes) -> bool:
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        review["spec"] = {"resourceAttributes": {"resource": "secrets", **attributes}}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return robot.post(path, json=review).json()["status"]["allowed"]

    here = account.namespace
    assert may(verb="get", namespace=here, name="a")
    assert not may(verb="get", namespace=here, name="b")
    assert not may(verb="get", namespace=here)
    assert not may(verb="get", namespace="default", name="a")
    assert not may(verb="get", name="a")


def test_the_certificate_of_the_authority_is_told_to_everybody(server):
    with httpx.Client(verify=False) as client:
        answer = client.get(f"{server.endpoint.url}/cacerts")
    assert answer.content == server.ca.read_bytes()


def test_kubectl_makes_rights_and_tokens(kubectl):
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps,jobs.batch/status")
    robot = f"{kubectl.namespace}:robot"
    kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={robot}")
    kubectl("create", "clusterrole", robot, "--verb=get", "--resource=namespaces")
    kubectl("create", "clusterrolebinding", robot, f"--clusterrole={robot}", f"--serviceaccount={robot}")
    assert kubectl("get", "rolebindings").splitlines()[1].split()[:2] == ["reader", "Role/reader"]
    assert kubectl("get", "roles").splitlines()[0].split() == ["NAME", "CREATED", "AT"]
    assert "configmaps" in kubectl("describe", "role", "reader")
    token = kubectl("create", "token", "robot", "--duration=10m").strip()
    as_robot = (f"--token={token}", "auth")
    assert kubectl(*as_robot, "can-i", "list", "configmaps").strip() == "yes"
    assert "yes" in kubectl(*as_robot, "can-i", "get", "namespaces")
    assert kubectl.run(*as_robot, "can-i", "list", "secrets").stdout.strip() == "no"
    assert "configmaps" in kubectl(*as_robot, "can-i", "--list")
    assert robot in kubectl(*as_robot, "whoami")
