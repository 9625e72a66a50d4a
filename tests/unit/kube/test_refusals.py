"""What an answer of the API server means for us: which right is lacking, how long to wait, what to do."""

import pytest

from strongroom.kube import errors
from strongroom.kube.kinds import JOBS, LEASES, POLICIES
from strongroom.kube.pacing import Pace
from strongroom.kube.permissions import Permission, find_permission
from strongroom.kube.refusals import explain


@pytest.mark.parametrize(
    ("method", "path", "query", "right"),
    [
        ("GET", JOBS.path("shop"), {}, Permission("list", "jobs", "batch", "shop")),
        ("GET", JOBS.path("shop"), {"watch": "true"}, Permission("watch", "jobs", "batch", "shop")),
        ("GET", JOBS.path(None), {}, Permission("list", "jobs", "batch", "")),
        ("GET", LEASES.path("shop", "host"), {}, Permission("get", "leases", "coordination.k8s.io", "shop")),
        ("POST", JOBS.path("shop"), {}, Permission("create", "jobs", "batch", "shop")),
        ("DELETE", JOBS.path("shop", "j"), {}, Permission("delete", "jobs", "batch", "shop")),
        (
            "PATCH",
            POLICIES.path("shop", "p", "status"),
            {},
            Permission("patch", "backuppolicies/status", "strongroom.dev", "shop"),
        ),
        ("GET", "/api/v1/namespaces/shop/secrets/s", {}, Permission("get", "secrets", "", "shop")),
        ("GET", "/api/v1/namespaces/shop", {}, Permission("get", "namespaces", "", "")),
        ("GET", "/apis/batch/v1", {}, None),
        ("GET", "/version", {}, None),
    ],
)
def test_a_request_tells_which_right_it_needs(method, path, query, right):
    assert find_permission(method, path, query) == right


def forbidden(message, **details):
    answer = {"reason": "Forbidden", "message": message, "details": details}
    error = errors.error_from_status(403, answer)
    error.permission = Permission("list", "backupruns", "strongroom.dev", "shop")
    return explain(error)


def test_a_right_that_lacks_is_named_with_verb_resource_namespace_and_the_way_out():
    words = 'backupruns.strongroom.dev is forbidden: User "op" cannot list resource "backupruns"'
    refusal = forbidden(words)
    assert refusal.reason == "Forbidden"
    assert "may not list backupruns.strongroom.dev in namespace shop" in refusal.message
    assert "apply the Roles" in refusal.message


def test_other_refusals_are_told_apart_from_lacking_rights():
    assert forbidden('jobs.batch "x" is forbidden: exceeded quota: count').reason == "QuotaExceeded"
    ending = forbidden("it is being terminated", causes=[{"reason": "NamespaceTerminating"}])
    assert ending.reason == "NamespaceTerminating"
    webhook = forbidden("admission webhook denied the request")
    assert webhook.reason == "Forbidden"
    assert "Role" not in webhook.message
    assert explain(errors.error_from_status(401, {"message": "Unauthorized"})).reason == "Unauthorized"


def test_a_kind_that_is_not_served_names_the_definitions_to_apply():
    error = errors.error_from_status(404, {"message": "the server could not find the requested resource"})
    error.permission = Permission("list", "backupruns", "strongroom.dev", "")
    assert explain(error).reason == "NotServed"
    assert "CustomResourceDefinitions" in explain(error).message


@pytest.mark.parametrize(
    ("said", "reason"), [("Invalid", "Invalid"), ("odd words", "ApiError"), ("", "ApiError")]
)
def test_a_servers_word_becomes_a_reason_only_if_it_is_one(said, reason):
    error = errors.error_from_status(422, {"reason": said, "message": "why"})
    assert explain(error).reason == reason


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"Retry-After": "7"}, {}, 7),
        ({}, {"retryAfterSeconds": 3}, 3),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, {"retryAfterSeconds": 2}, 2),
        ({"Retry-After": "-1"}, {}, None),
        ({}, {}, None),
    ],
)
def test_a_server_that_asks_for_patience_is_understood(headers, details, seconds):
    body = b'{"message": "slow down", "details": %s}' % str(details).replace("'", '"').encode()
    assert errors.error_from_body(429, body, headers).retry_after_seconds == seconds


def test_requests_are_paced_after_a_burst_and_held_back_when_asked_for():
    now = [100.0]
    pace = Pace(10, 5, monotonic=lambda: now[0])
    assert [pace.reserve() for _ in range(5)] == pytest.approx([0] * 5)
    assert [pace.reserve() for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3], abs=0.1001)
    now[0] = 200.0
    assert [pace.reserve() for _ in range(5)] == pytest.approx([0] * 5)
