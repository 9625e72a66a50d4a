"""The generated schemas are structural, bounded and described, and refuse what our own parsing refuses."""

from collections.abc import Iterator
from typing import Any

import pytest

from strongroom.api.crds import build_crds
from strongroom.api.kinds import KINDS

Schema = dict[str, Any]
CRDS = {crd["spec"]["names"]["kind"]: crd for crd in build_crds()}


def _schema(kind: str) -> Schema:
    return CRDS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def _nodes(path: str, node: Schema) -> Iterator[tuple[str, Schema]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from _nodes(f"{path}.{name}", child)
    if "items" in node:
        yield from _nodes(f"{path}[]", node["items"])


def _all_nodes() -> list[tuple[str, Schema]]:
    return [
        node
        for kind in CRDS
        for part in ("spec", "status")
        for node in _nodes(f"{kind}.{part}", _schema(kind)["properties"][part])
    ]


def test_every_kind_has_a_definition() -> None:
    assert (
        set(CRDS)
        == {kind.kind for kind in KINDS}
        == {"BackupPolicy", "BackupRun", "RestoreRequest", "BackupStore", "DockerHost"}
    )


def test_every_node_is_structural() -> None:
    forbidden = {"$ref", "$defs", "anyOf", "allOf", "oneOf", "const", "propertyNames", "title"}
    assert [path for path, node in _all_nodes() if forbidden & node.keys() or "type" not in node] == []


def test_every_string_list_and_number_is_bounded() -> None:
    def unbounded(node: Schema) -> bool:
        match node["type"]:
            case "string":
                return not (
                    {"maxLength", "enum"} & node.keys()
                    or node.get("format") == "date-time"
                    or "{64}" in node.get("pattern", "")
                )
            case "array":
                return "maxItems" not in node
            case "integer" | "number":
                return "minimum" not in node
        return False

    assert [path for path, node in _all_nodes() if unbounded(node)] == []


def test_every_field_is_described() -> None:
    assert [
        path for path, node in _all_nodes() if "description" not in node and not path.endswith("[]")
    ] == []


def test_nested_defaults_are_reached_through_object_defaults() -> None:
    spec = _schema("BackupPolicy")["properties"]["spec"]["properties"]
    assert spec["retention"]["default"] == {}
    assert spec["retention"]["properties"]["minKeep"]["default"] == 1
    assert spec["sources"]["items"]["properties"]["postgres"]["properties"]["tls"]["default"] == {}


@pytest.mark.parametrize(("kind", "field"), [("BackupRun", "policy"), ("RestoreRequest", "target")])
def test_specs_that_are_facts_are_immutable(kind: str, field: str) -> None:
    rules = _schema(kind)["properties"]["spec"]["x-kubernetes-validations"]
    assert f"self.{field} == oldSelf.{field}" in [rule["rule"] for rule in rules]


@pytest.mark.parametrize("kind", sorted(CRDS))
def test_conditions_are_a_map_by_type(kind: str) -> None:
    conditions = _schema(kind)["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


@pytest.mark.parametrize("kind", sorted(CRDS))
def test_every_kind_has_status_short_name_category_and_columns(kind: str) -> None:
    spec = CRDS[kind]["spec"]
    assert spec["names"]["categories"] == ["strongroom"]
    assert len(spec["names"]["shortNames"]) == 1
    assert spec["versions"][0]["subresources"] == {"status": {}}
    assert spec["versions"][0]["additionalPrinterColumns"][-1]["name"] == "Age"
