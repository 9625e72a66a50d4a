"""CustomResourceDefinitions from the models: structural schemas, as apiextensions.k8s.io/v1 asks for them.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

import copy
from typing import Any

from pydantic import BaseModel

from strongroom.api.fields import Fields
from strongroom.api.group import CATEGORY, GROUP, VERSION
from strongroom.api.kinds import KINDS, Column, Kind
from strongroom.api.unknownfields import find_model

Schema = dict[str, Any]
_DROPPED = ("title", "$defs", "additionalProperties", "propertyNames", "discriminator", "const")


def build_crds() -> list[Schema]:
    """One CustomResourceDefinition for each kind, in the order of the list of kinds."""
    return [build_crd(kind) for kind in KINDS]


def build_crd(kind: Kind) -> Schema:
    """The CustomResourceDefinition of one kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}", "labels": {"app.kubernetes.io/name": "strongroom"}},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short_name],
                "categories": [CATEGORY],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(column) for column in kind.columns],
                    "schema": {"openAPIV3Schema": _root_schema(kind)},
                }
            ],
        },
    }


def _column(column: Column) -> Schema:
    built: Schema = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.description:
        built["description"] = column.description
    if column.wide:
        built["priority"] = 1
    return built


def _root_schema(kind: Kind) -> Schema:
    return {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(kind.spec),
            "status": structural_schema(kind.status),
        },
    }


def structural_schema(model: type[Fields]) -> Schema:
    """The model's JSON schema with references inlined and nothing that a structural schema forbids."""
    schema = model.model_json_schema(by_alias=True)
    structural = _structural(schema, schema.get("$defs", {}))
    _add_object_defaults(structural, model)
    return copy.deepcopy(structural)


def _structural(node: Schema, definitions: dict[str, Schema]) -> Schema:
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[-1]]
        node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
    if "anyOf" in node:
        (only,) = [option for option in node["anyOf"] if option != {"type": "null"}]
        node = {**_structural(only, definitions), **{k: v for k, v in node.items() if k != "anyOf"}}
    built = {k: v for k, v in node.items() if k not in _DROPPED}
    if "const" in node:
        built["enum"] = [node["const"]]
    if built.get("default", ...) in (
        None,
        "",
    ):  # a real server reads an empty text as null, which no string may be
        del built["default"]
    if "properties" in built:
        built["properties"] = {k: _structural(v, definitions) for k, v in node["properties"].items()}
    additional = node.get("additionalProperties")  # False says no more than that unknown fields are pruned
    if isinstance(additional, dict) and not built.get("x-kubernetes-preserve-unknown-fields"):
        built["additionalProperties"] = _structural(additional, definitions)
    if "items" in built:
        built["items"] = _structural(node["items"], definitions)
    return built


def _add_object_defaults(schema: Schema, model: type[BaseModel]) -> None:
    """Give objects that a factory makes the default `{}`, so that a server fills in their fields' defaults."""
    for name, info in model.model_fields.items():
        inner = find_model(info.annotation)
        if inner is None:
            continue
        node = schema["properties"][info.alias or name]
        if node["type"] == "array":
            _add_object_defaults(node["items"], inner)
            continue
        _add_object_defaults(node, inner)
        if info.default_factory is not None:
            node["default"] = {}
