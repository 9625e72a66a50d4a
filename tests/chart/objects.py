"""Objects as a strict API server reads them: no key twice, no field that the kind does not have, none missing, no wrong type."""

import re
from functools import cache
from typing import Any

import yaml
from kubernetes import client

from strongroom.api.crds import build_crds
from strongroom.api.group import API_VERSION
from strongroom.apiserver.schema import StructuralSchema

Object = dict[str, Any]
FOREIGN = ("monitoring.coreos.com/v1", "kustomize.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1")
"""Groups whose schemas are not to be had here."""


class _Strict(yaml.CSafeLoader):
    pass


def _mapping(loader: _Strict, node: yaml.MappingNode) -> Object:
    keys = [loader.construct_object(key) for key, _ in node.value]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise ValueError(f"{node.start_mark}: twice: {twice}")
    return loader.construct_mapping(node, deep=True)


_Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def parse_objects(text: str) -> list[Object]:
    """The documents of a stream, without empty ones."""
    return [each for each in yaml.load_all(text, _Strict) if each]


def find_faults(body: Object) -> list[str]:
    """What a server with strict validation would complain of."""
    if body["apiVersion"] == API_VERSION:
        return _custom_faults(body)
    if body["apiVersion"] in FOREIGN:
        return []
    group, _, version = body["apiVersion"].rpartition("/")
    prefix = "" if group in {"", "apps", "batch", "policy"} else group.split(".")[0].capitalize()
    names = [f"{version.capitalize()}{body['kind']}", f"{prefix}{version.capitalize()}{body['kind']}"]
    model = next(found for name in names if (found := getattr(client, name, None)))
    return list(_faults(body, model.__name__, body["kind"]))


@cache
def _schemas() -> dict[str, StructuralSchema]:
    return {
        crd["spec"]["names"]["kind"]: StructuralSchema(
            crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        )
        for crd in build_crds()
    }


def _custom_faults(body: Object) -> list[str]:
    schema = _schemas()[body["kind"]]
    kept, unknown = schema.prune({key: value for key, value in body.items() if key != "metadata"})
    faults = schema.validate(schema.apply_defaults(kept | {"metadata": {}}))
    return [*unknown, *map(str, faults)]


def _faults(value: Any, type_: str, path: str) -> Any:
    if listed := re.fullmatch(r"list\[(.+)\]", type_):
        if not isinstance(value, list):
            yield f"{path}: not a list"
            return
        for index, each in enumerate(value):
            yield from _faults(each, listed[1], f"{path}[{index}]")
    elif mapped := re.fullmatch(r"dict\(str, (.+)\)|dict\[str, (.+)\]", type_):
        if not isinstance(value, dict):
            yield f"{path}: not a map"
            return
        for key, each in value.items():
            yield from _faults(each, mapped[1] or mapped[2], f"{path}.{key}")
    elif model := getattr(client, type_, None):
        yield from _model_faults(value, model, path)
    else:
        yield from _scalar_faults(value, type_, path)


def _model_faults(value: Any, model: Any, path: str) -> Any:
    if model is client.V1JSONSchemaProps or model.__name__ == "IntOrString":
        return
    if not isinstance(value, dict):
        yield f"{path}: not an object"
        return
    fields = {json: name for name, json in model.attribute_map.items()}
    for key, each in value.items():
        if key not in fields:
            yield f"{path}.{key}: no such field"
        else:
            yield from _faults(each, model.openapi_types[fields[key]], f"{path}.{key}")
    try:
        model(**{fields[key]: each for key, each in value.items() if key in fields})
    except ValueError as error:
        yield f"{path}: {error}"


_SCALARS = {"str": str, "bool": bool, "int": int, "float": (int, float), "datetime": str}


def _scalar_faults(value: Any, type_: str, path: str) -> Any:
    wanted = _SCALARS.get(type_)
    if wanted is not None and (not isinstance(value, wanted) or (type_ == "int" and isinstance(value, bool))):
        yield f"{path}: {value!r} is no {type_}"
