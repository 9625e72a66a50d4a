"""PATCH: merge, JSON, strategic merge and apply, each a way to compute the next object from the current one."""

from collections.abc import Callable
from typing import Any

from strongroom.apiserver import fielderrors
from strongroom.apiserver.cluster import conflict
from strongroom.apiserver.handlers.applies import apply
from strongroom.apiserver.handlers.bodies import check_place, check_type, strict
from strongroom.apiserver.handlers.calls import Call, answer_object
from strongroom.apiserver.handlers.options import META_GROUP, parse_write_options
from strongroom.apiserver.handlers.writes import update_object
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.jsons import decode_json
from strongroom.apiserver.http.responses import Response
from strongroom.apiserver.jsonmerge import (
    MAX_OPERATIONS,
    BadPatchError,
    PatchFailedError,
    json_patch,
    merge_patch,
)
from strongroom.apiserver.resources import Object
from strongroom.apiserver.strategicmerge import strategic_merge_patch

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
REJECTED = "the server rejected our request due to an error in our request"

Change = Callable[[Object], Any]


async def patch(call: Call) -> Response:
    """200 with the object as it is now; apply may create it (201)."""
    if call.request.media_type not in supported_types(call):
        listed = ", ".join(supported_types(call))
        raise statuses.unsupported_media(
            f"the body of the request was in an unknown format - accepted media types include: {listed}"
        )
    options = parse_write_options(call.request, "PatchOptions")
    if call.request.media_type == APPLY_PATCH:
        return await apply(call, options)
    if options.force is not None:
        error = fielderrors.forbidden("force", "may not be specified for non-apply patch")
        raise statuses.invalid("PatchOptions", META_GROUP, "", [error])
    change, problems = _read_change(call)
    async with call.cluster.store.lock(call.key):
        old = call.read()
        patched = _apply(change, old.object)
        check_type(patched, call.resource)
        new, warnings = strict(patched, call.resource, options, problems)
        check_place(new, call.target)
        given = new["metadata"].get("resourceVersion")
        if given and given != str(old.revision):
            raise conflict(call.resource, call.target.name)
        stored = await update_object(call, old, new, options)
    return answer_object(call, stored, 200, [*warnings, *call.resource.rules.warnings(stored.object)])


def supported_types(call: Call) -> list[str]:
    """The media types that this resource takes, as the server lists them."""
    strategic = [STRATEGIC_PATCH] if call.resource.rules.strategic else []
    return [JSON_PATCH, MERGE_PATCH, *strategic, APPLY_PATCH]


def _read_change(call: Call) -> tuple[Change, tuple[str, ...]]:
    """The change that the body describes, and the duplicate fields in it. Raises 400, 413."""
    body = decode_json(call.request.body)
    if call.request.media_type == JSON_PATCH:
        _check_operations(body.value)
        return (lambda obj: json_patch(obj, body.value)), ()
    if not isinstance(body.value, dict):
        raise statuses.bad_request(
            "error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}"
        )
    if call.request.media_type == STRATEGIC_PATCH:
        return (lambda obj: strategic_merge_patch(obj, body.value)), body.problems
    return (lambda obj: merge_patch(obj, body.value)), body.problems


def _check_operations(operations: Any) -> None:
    if isinstance(operations, list) and len(operations) > MAX_OPERATIONS:
        raise statuses.StatusError(
            413,
            "RequestEntityTooLarge",
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}",
        )


def _apply(change: Change, obj: Object) -> Object:
    try:
        patched = change(obj)
    except BadPatchError as error:
        raise statuses.bad_request(f"error decoding patch: {error}") from error
    except PatchFailedError as error:
        raise statuses.StatusError(422, "Invalid", REJECTED, {}) from error
    if not isinstance(patched, dict):
        raise statuses.StatusError(422, "Invalid", REJECTED, {})
    return patched
