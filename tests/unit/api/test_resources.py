"""Parsing: what is wrong is named by object and field, and no value is shown that might be secret."""

from typing import Any

import pytest

from strongroom.api.errors import Reason, StrongroomError, excerpt, reason_of_exit_code
from strongroom.api.resources import parse_policy, parse_run


def _policy(**changes: Any) -> dict[str, Any]:
    source = {"name": "database", "postgres": {"host": "db", "user": "backup", "databases": ["shop"]}}
    spec: dict[str, Any] = {"schedule": "0 2 * * *", "sources": [source], "stores": ["disk"]}
    return {"metadata": {"name": "shop", "namespace": "default"}, "spec": {**spec, **changes}}


def test_a_small_policy_gets_every_default() -> None:
    policy = parse_policy(_policy())
    assert policy.spec.time_zone == "UTC"
    assert policy.spec.verification == "Full"
    assert policy.spec.retention.min_keep == 1
    assert not policy.spec.retention.has_rules
    assert policy.spec.sources[0].postgres is not None
    assert policy.spec.sources[0].postgres.port == 5432


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"retention": {"keepLast": 0}}, "spec.retention.keepLast"),
        ({"retention": {"keepDaily": -1}}, "spec.retention.keepDaily"),
        ({"retention": {"minKeep": 0}}, "spec.retention.minKeep"),
        ({"stores": []}, "spec.stores"),
        ({"stores": ["a", "a"]}, "stores"),
        ({"stores": ["other/disk"]}, "spec.stores[0]"),
        ({"jitter": "soon"}, "spec.jitter"),
        ({"sources": [{"name": "x"}]}, "spec.sources[0]"),
        ({"sources": [{"name": "x", "postgres": {"host": "db", "user": "u"}}]}, "spec.sources[0].postgres"),
        (
            {"sources": [{"name": "x", "postgres": {"host": "-oProxy", "user": "u", "databases": ["d"]}}]},
            "spec.sources[0].postgres.host",
        ),
        (
            {"sources": [{"name": "x", "postgres": {"host": "db", "user": "u\n", "databases": ["d"]}}]},
            "spec.sources[0].postgres.user",
        ),
        ({"compression": {"codec": "gzip", "level": 12}}, "spec.compression"),
    ],
)
def test_bad_input_is_named_by_object_and_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(StrongroomError) as caught:
        parse_policy(_policy(**changes))
    assert caught.value.reason is Reason.InvalidSpec
    assert "BackupPolicy shop" in str(caught.value)
    assert field in str(caught.value)


def test_a_run_whose_status_cannot_be_read_is_an_error_and_not_a_new_run() -> None:
    body = {"metadata": {"name": "r"}, "spec": {"policy": "shop"}, "status": {"phase": "FromTheFuture"}}
    with pytest.raises(StrongroomError, match=r"BackupRun r: status\.phase"):
        parse_run(body)


def test_every_reason_has_its_own_exit_code_and_a_hint() -> None:
    codes = [reason.exit_code for reason in Reason]
    assert len(set(codes)) == len(codes)
    assert all(0 < code < 126 for code in codes)
    assert all(reason.hint for reason in Reason)
    assert all(reason_of_exit_code(reason.exit_code) is reason for reason in Reason)


def test_foreign_text_becomes_one_bounded_line_with_its_end_kept() -> None:
    text = excerpt("noise\n" * 200 + "FATAL: the cause")
    assert len(text) == 256
    assert text.endswith("FATAL: the cause")
    assert "\n" not in text
