"""The object that a write brings: decoded, of the right kind, name and namespace, without unknown fields."""

from collections.abc import Sequence
from typing import Any

from strongroom.apiserver.handlers.gotypes import find_mistyped
from strongroom.apiserver.handlers.options import WriteOptions
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.bodies import read_object
from strongroom.apiserver.http.requests import Request
from strongroom.apiserver.http.targets import Target
from strongroom.apiserver.metaschemas import OBJECT_META, record
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.schema import StructuralSchema

_OBJECT = StructuralSchema(record(metadata=OBJECT_META))
_METADATA = StructuralSchema(record(body=record(metadata=OBJECT_META)))


def read_written_object(
    request: Request, resource: Resource, options: WriteOptions
) -> tuple[Object, list[str]]:
    """The body as an object of this resource and the warnings it deserves. Raises 400, 415."""
    body = read_object(request, resource.kind)
    check_type(body.value, resource)
    return strict(body.value, resource, options, body.problems)


def check_type(obj: Object, resource: Resource) -> None:
    """Refuse another kind or version than the path's; what is absent is filled in for built-in kinds as Go does."""
    typed = resource.rules.typed
    version = obj.get("apiVersion") or (resource.api_version if typed else "")
    kind = obj.get("kind") or (resource.kind if typed else "")
    if not kind:
        raise statuses.bad_request(f"Object 'Kind' is missing in '{_excerpt(obj)}'")
    if version != resource.api_version:
        raise statuses.bad_request(
            f"the API version in the data ({version or ''}) does not match the expected API version ({resource.api_version})"
        )
    if kind != resource.kind:
        raise _unreadable(
            resource, f'no kind "{kind}" is registered for version "{resource.api_version}" on this path'
        )


def strict(
    obj: Object, resource: Resource, options: WriteOptions, problems: Sequence[str] = ()
) -> tuple[Object, list[str]]:
    """Prune, then do with unknown and duplicate fields as fieldValidation says."""
    pruned, unknown = resource.rules.prune(obj)
    metadata, unknown_metadata = read_metadata(obj.get("metadata"), resource)
    pruned["metadata"] = metadata
    if resource.rules.typed:
        _refuse_mistyped(resource, resource.rules.schema, pruned)
        pruned = resource.rules.apply_defaults(pruned)  # drops nulls, which Go's structs do not have
    found = [*(f'unknown field "{path}"' for path in (*unknown, *unknown_metadata)), *problems]
    if found and options.field_validation == "Strict":
        raise _unreadable(resource, f"strict decoding error: {', '.join(found)}")
    return pruned, found if options.field_validation == "Warn" else []


def read_metadata(metadata: Any, resource: Resource) -> tuple[dict[str, Any], list[str]]:
    """Metadata in its form: known fields of the right types, without nulls; and the paths of the unknown ones."""
    if metadata is None:
        return {}, []
    if not isinstance(metadata, dict):
        raise _unreadable(
            resource, "json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta"
        )
    # The wrapper keeps `apiVersion`, `kind` and `metadata` from being taken for an object's own inside of metadata.
    _refuse_mistyped(resource, _OBJECT, {"metadata": metadata})
    kept, unknown = _METADATA.prune({"body": {"metadata": metadata}})
    known: dict[str, Any] = _METADATA.apply_defaults(kept)["body"]["metadata"]
    return known, [path.removeprefix("body.") for path in unknown]


def _refuse_mistyped(resource: Resource, schema: StructuralSchema, value: Any) -> None:
    if problem := find_mistyped(value, schema.document, resource.kind):
        raise _unreadable(resource, problem)


def _unreadable(resource: Resource, why: str) -> statuses.StatusError:
    return statuses.bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {why}'
    )


def check_place(obj: Object, target: Target, *, name: bool = True) -> None:
    """The body's name and namespace must be those of the URL, where it gives them."""
    metadata = obj["metadata"]
    own_name, own_namespace = metadata.get("name") or "", metadata.get("namespace") or ""
    if name and not own_name:
        raise statuses.bad_request("name must be provided")
    if name and own_name != target.name:
        raise statuses.bad_request(
            f"the name of the object ({own_name}) does not match the name on the URL ({target.name})"
        )
    if target.namespace and own_namespace and own_namespace != target.namespace:
        raise statuses.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
            if not name
            else f"the namespace of the object ({own_namespace}) does not match the namespace on the URL ({target.namespace})"
        )


def _excerpt(obj: Any) -> str:
    import json

    return json.dumps(obj, separators=(",", ":"))[:256]
