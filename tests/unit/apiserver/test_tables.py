import datetime as dt

import pytest

from strongroom.apiserver.jsonpath import JSONPathError, parse_json_path
from strongroom.apiserver.tables import Column, build_table, human_duration, printer_columns

NOW = dt.datetime(2026, 1, 1, 12, 0, 0, tzinfo=dt.UTC)
ITEM = {
    "apiVersion": "g/v1",
    "kind": "W",
    "metadata": {
        "name": "a",
        "creationTimestamp": "2026-01-01T11:59:57Z",
        "annotations": {"x.y/z": "dotted"},
    },
    "spec": {
        "size": 3,
        "ratio": 0.5,
        "on": True,
        "tags": ["p", "q"],
        "map": {"b": 1, "a": [2]},
        "when": "2025-12-31T12:00:00Z",
    },
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True", "n": 2},
            {"type": "Fresh", "status": "False", "n": 5},
        ]
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.size", [3]), ("{.spec.size}", [3]), ("$.spec.size", [3]), (".spec.none.deeper", []), (".spec.tags[0]", ["p"]), (".spec.tags[-1]", ["q"]),
        (".spec.tags[9]", []), (".spec.tags[*]", ["p", "q"]), (".spec.tags[0:1]", ["p"]), (".spec.tags[0,1]", ["p", "q"]),
        (r".metadata.annotations.x\.y/z", ["dotted"]), (".metadata.annotations['x.y/z']", ["dotted"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]), (".status.conditions[?(@.type == 'Fresh')].status", ["False"]),
        (".status.conditions[?(@.n>2)].type", ["Fresh"]), (".status.conditions[?(@.none)].type", []), ('.status.conditions[?(@.type!="Ready")].n', [5]),
        ("..n", [2, 5]), (".spec.map.*", [1, [2]]), (".status.conditions[?(@.type>3)].n", []),
    ],
)  # fmt: skip
def test_json_paths_find_what_kubectl_finds(path, found):
    assert parse_json_path(path).find(ITEM) == found


@pytest.mark.parametrize("path", [".a[", ".a[x]", "{range}{", ".a[?(@.b==zork)]"])
def test_a_json_path_that_cannot_be_read_is_refused(path):
    with pytest.raises(JSONPathError):
        parse_json_path(path)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (150, "2m30s"), (600, "10m"), (10799, "179m"), (10800, "3h"),
        (11700, "3h15m"), (28800, "8h"), (172799, "47h"), (172800, "2d"), (176400, "2d1h"), (691200, "8d"), (63072000, "2y"), (63158400, "2y1d"), (252288000, "8y"),
    ],
)  # fmt: skip
def test_ages_are_as_coarse_as_kubectl_prints_them(seconds, text):
    assert human_duration(dt.timedelta(seconds=seconds)) == text


def cells(*columns):
    return build_table([ITEM], printer_columns(list(columns)), now=NOW)["rows"][0]["cells"]


def test_without_columns_a_table_shows_name_and_age():
    table = build_table([ITEM], printer_columns(None), now=NOW, list_metadata={"resourceVersion": "7"})
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Age"]
    assert table["rows"][0]["cells"] == ["a", "3s"]
    assert table["rows"][0]["object"] == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": ITEM["metadata"],
    }
    assert (table["kind"], table["apiVersion"], table["metadata"]) == (
        "Table",
        "meta.k8s.io/v1",
        {"resourceVersion": "7"},
    )


def test_cells_have_the_columns_type_and_what_is_missing_is_null():
    paths = [("integer", ".spec.size"), ("integer", ".spec.ratio"), ("number", ".spec.size"), ("boolean", ".spec.on"), ("string", ".spec.on"), ("string", ".spec.map"),
             ("date", ".spec.when"), ("date", ".spec.tags[0]"), ("string", ".spec.none"), ("integer", ".spec.on")]  # fmt: skip
    found = cells(
        *({"name": str(number), "type": kind, "jsonPath": path} for number, (kind, path) in enumerate(paths))
    )
    assert found == ["a", 3, 0, 3.0, True, "true", '{"a":[2],"b":1}', "24h", "<invalid>", None, None]


def test_columns_keep_their_priority_and_hide_no_age():
    columns = printer_columns(
        [
            {
                "name": "Ready",
                "type": "string",
                "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
                "priority": 1,
            }
        ]
    )
    table = build_table([ITEM], columns, now=NOW, include_object="None")
    assert table["columnDefinitions"][1] == {
        "name": "Ready",
        "type": "string",
        "format": "",
        "description": "",
        "priority": 1,
    }
    assert table["rows"] == [{"cells": ["a", "True"], "object": None}]


def test_rows_carry_whole_objects_when_asked_and_definitions_can_be_left_out():
    table = build_table(
        [ITEM],
        [Column("Kind", lambda item, _: item["kind"])],
        now=NOW,
        include_object="Object",
        version="v1beta1",
        with_definitions=False,
    )
    assert table["rows"] == [{"cells": ["W"], "object": ITEM}]
    assert (table["columnDefinitions"], table["apiVersion"]) == (None, "meta.k8s.io/v1beta1")
