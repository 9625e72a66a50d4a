"""Bodies in fixtures/kubectl-1.37 were sent by the real kubectl 1.37 and kept byte for byte."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.apiserver.protobuf import MAGIC, decode_body
from strongroom.apiserver.protobuf.wire import read_varint, signed

CAPTURED = Path(__file__).parent / "fixtures" / "kubectl-1.37"


def sent(name):
    return decode_body((CAPTURED / f"{name}.bin").read_bytes())


def test_a_secret_sent_by_kubectl_is_read():
    assert sent("secret") == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "pg"},
        "data": {"password": "cCDDpA==", "user": "cG9zdGdyZXM="},
    }


def test_a_config_map_sent_by_kubectl_is_read_with_its_binary_part():
    body = sent("configmap")
    assert (body["data"], body["binaryData"]) == ({"a": "b"}, {"bin": "AP8B/g=="})


def test_a_namespace_and_a_service_account_sent_by_kubectl_are_read():
    assert sent("namespace")["metadata"]["name"] == "team"
    assert sent("serviceaccount")["metadata"] == {"name": "sa"}
    assert sent("token_request")["spec"] == {"audiences": ["x"], "expirationSeconds": 3600}


def test_the_reviews_behind_kubectl_auth_are_read():
    attributes = {
        "namespace": "backups",
        "verb": "list",
        "resource": "secrets",
        "subresource": "x",
        "name": "pg",
    }
    assert sent("access_review")["spec"] == {"resourceAttributes": attributes}
    assert sent("access_review_path")["spec"] == {
        "nonResourceAttributes": {"path": "/healthz", "verb": "get"}
    }
    assert sent("rules_review")["spec"] == {"namespace": "backups"}
    assert sent("self_review") == {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "SelfSubjectReview",
        "metadata": {},
        "status": {"userInfo": {}},
    }


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def envelope(api_version, kind, raw):
    return (
        MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, raw) + field(3, "") + field(4, "")
    )


def test_an_event_keeps_its_times_and_references():
    time = field(1, 1_700_000_000) + field(2, 123_456_789)
    raw = (
        field(1, field(2, "e-")) + field(2, field(1, "BackupRun") + field(3, "r")) + field(3, "Done") + field(6, time) + field(7, b"")
        + field(8, 2) + field(9, "Normal") + field(10, time) + field(14, "c") + field(99, "newer")
    )  # fmt: skip
    assert decode_body(envelope("v1", "Event", raw)) == {
        "apiVersion": "v1", "kind": "Event", "metadata": {"generateName": "e-"}, "involvedObject": {"kind": "BackupRun", "name": "r"}, "reason": "Done",
        "firstTimestamp": "2023-11-14T22:13:20Z", "count": 2, "type": "Normal", "eventTime": "2023-11-14T22:13:20.123456Z", "reportingComponent": "c",
    }  # fmt: skip


def test_pointers_keep_their_zero_and_plain_fields_drop_it():
    raw = field(2, field(1, "") + field(2, 0) + field(5, -1))
    assert decode_body(envelope("coordination.k8s.io/v1", "Lease", raw))["spec"] == {
        "holderIdentity": "",
        "leaseDurationSeconds": 0,
        "leaseTransitions": -1,
    }
    options = field(1, 0) + field(2, field(1, "u")) + field(4, "Foreground") + field(5, "All")
    assert decode_body(envelope("strongroom.dev/v1alpha1", "DeleteOptions", options)) == {
        "apiVersion": "strongroom.dev/v1alpha1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "preconditions": {"uid": "u"},
        "propagationPolicy": "Foreground", "dryRun": ["All"],
    }  # fmt: skip


def test_metadata_keeps_owners_managed_fields_and_labels():
    owner = field(1, "K") + field(3, "n") + field(4, "u") + field(5, "g/v") + field(6, 0)
    entry = field(1, "m") + field(2, "Apply") + field(7, field(1, '{"f:data":{}}'))
    meta = (
        field(8, b"")
        + field(11, field(1, "k") + field(2, "v"))
        + field(13, owner)
        + field(14, "a/b")
        + field(17, entry)
    )
    assert decode_body(envelope("v1", "Secret", field(1, meta)))["metadata"] == {
        "labels": {"k": "v"},
        "ownerReferences": [{"kind": "K", "name": "n", "uid": "u", "apiVersion": "g/v", "controller": False}],
        "finalizers": ["a/b"],
        "managedFields": [{"manager": "m", "operation": "Apply", "fieldsV1": {"f:data": {}}}],
    }


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{}", "expected prefix"),
        (envelope("v1", "Pod", b""), "no protobuf decoder for v1, Kind=Pod"),
        (envelope("v1", "Secret", b"\x0a\xff"), "unexpected EOF"),
        (envelope("v1", "Secret", b"\x0b"), "illegal wireType 3"),
        (envelope("v1", "Secret", field(1, 5)), "wrong wireType"),
        (envelope("v1", "Secret", field(1, field(1, b"\xff"))), "utf-8"),
        (envelope("v1", "Secret", field(1, field(8, field(1, 2**62)))), "out of range"),
    ],
)
def test_a_body_that_cannot_be_read_says_why(body, text):
    with pytest.raises(ValueError, match=text):
        decode_body(body)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_numbers_travel_whole(number):
    value, end = read_varint(varint(number), 0)
    assert signed(value) == number
    assert end == len(varint(number))


@given(st.binary(max_size=60))
def test_garbage_is_refused_with_a_value_error_or_read_but_never_crashes(garbage):
    with contextlib.suppress(ValueError):
        decode_body(envelope("v1", "Secret", garbage))
