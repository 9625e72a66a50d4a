"""PATCH with application/apply-patch+yaml: server-side apply, which creates what is not there."""

from typing import Any

from strongroom.apiserver import fielderrors, managedfields
from strongroom.apiserver.cluster import conflict
from strongroom.apiserver.handlers.bodies import check_place, check_type, read_metadata, strict
from strongroom.apiserver.handlers.calls import Call, answer_object
from strongroom.apiserver.handlers.options import META_GROUP, WriteOptions
from strongroom.apiserver.handlers.writes import Creation, build_write, create_object, update_object
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.responses import Response
from strongroom.apiserver.http.yamls import decode_yaml
from strongroom.apiserver.resources import Object
from strongroom.apiserver.storage.records import Stored


async def apply(call: Call, options: WriteOptions) -> Response:
    """200, or 201 when the object is new. Raises 409 with a cause for each field that others own."""
    if not options.field_manager:
        error = fielderrors.required("fieldManager", "is required for apply patch")
        raise statuses.invalid("PatchOptions", META_GROUP, "", [error])
    applied, warnings = _read_applied(call, options)
    async with call.cluster.store.lock(call.key):
        old = call.cluster.store.get(call.key)
        merged = _merge(call, old, applied, options)
        # What the schema does not know has been refused already; this only brings the merged object into its form.
        new, _ = strict(merged, call.resource, options)
        if old is None:
            stored = await _create(call, new, options)
        else:
            _check_versions(call, old, applied)
            stored = await update_object(call, old, new, options, applied=True)
    warnings = [*warnings, *call.resource.rules.warnings(stored.object)]
    return answer_object(call, stored, 201 if old is None else 200, warnings)


def _read_applied(call: Call, options: WriteOptions) -> tuple[Object, list[str]]:
    body = decode_yaml(call.request.body)
    if not isinstance(body.value, dict):
        raise statuses.bad_request("error decoding YAML: an apply patch is an object")
    check_type(body.value, call.resource)
    if body.problems and options.field_validation == "Strict":
        raise statuses.bad_request(f"error strict decoding YAML: {', '.join(body.problems)}")
    metadata, unknown = read_metadata(body.value.get("metadata"), call.resource)
    applied = {**body.value, "metadata": metadata}
    check_place(applied, call.target)
    if unknown:
        raise _mistyped(call, "; ".join(f".{path}: field not declared in schema" for path in unknown))
    warned = options.field_validation == "Warn"
    return applied, list(body.problems) if warned else []


def _merge(call: Call, old: Stored | None, applied: Object, options: WriteOptions) -> Object:
    write = build_write(call.cluster, call.resource, options, call.target.subresource)
    schema = call.resource.rules.schema.document
    live: Any = old.object if old else None
    try:
        return managedfields.apply(live, applied, write, schema, force=bool(options.force))
    except managedfields.ConflictError as error:
        details = {"causes": [statuses.build_cause(cause) for cause in error.causes]}
        raise statuses.StatusError(409, "Conflict", str(error), details) from error
    except managedfields.TypedPatchError as error:
        raise _mistyped(call, str(error)) from error
    except ValueError as error:
        raise statuses.bad_request(str(error)) from error


def _mistyped(call: Call, why: str) -> statuses.StatusError:
    target = call.target
    place = f"{target.namespace}/{target.name}; {call.resource.api_version}, Kind={call.resource.kind}"
    details = {"name": target.name, "group": call.resource.group, "kind": call.resource.kind}
    return statuses.StatusError(
        422, "Invalid", f"failed to create typed patch object ({place}): {why}", details
    )


def _check_versions(call: Call, old: Stored, applied: Object) -> None:
    """Uid and resourceVersion, where the body gives them, must be the present ones. Raises 409."""
    uid, revision = applied["metadata"].get("uid"), applied["metadata"].get("resourceVersion")
    present = old.object["metadata"]["uid"]
    if uid and uid != present:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {present}"
        raise conflict(call.resource, call.target.name, why)
    if revision and revision != str(old.revision):
        raise conflict(call.resource, call.target.name)


async def _create(call: Call, new: Object, options: WriteOptions) -> Stored:
    if call.target.subresource:
        call.read()
    if uid := new["metadata"].get("uid"):
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise conflict(call.resource, call.target.name, why)
    creation = Creation(call.cluster, call.resource, call.target.namespace, call.request.user, options)
    return await create_object(creation, new, applied=True)
