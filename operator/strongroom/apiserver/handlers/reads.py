"""GET: one object, or a list in pages that all show the same moment."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strongroom.apiserver import fielderrors
from strongroom.apiserver.handlers.calls import Call, answer_object, table_of
from strongroom.apiserver.handlers.options import META_GROUP
from strongroom.apiserver.handlers.selections import read_selection
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.negotiation import JSON, negotiate
from strongroom.apiserver.http.responses import Response, build_response
from strongroom.apiserver.storage.errors import ExpiredError
from strongroom.apiserver.storage.records import Key, Stored, encode
from strongroom.apiserver.tables import partial_metadata

FORMS_OF_LIST = frozenset({"Table", "PartialObjectMetadataList"})


@dataclass(frozen=True)
class Page:
    """Where a list goes on: the moment it shows and the last key it gave."""

    revision: int
    after: tuple[str, str] | None
    limit: int


async def get(call: Call) -> Response:
    """One object."""
    return answer_object(call, call.read())


async def list_objects(call: Call) -> Response:
    """The list: of now, of the moment of an earlier page, or of an exact revision."""
    selection = read_selection(call)
    page = read_page(call)
    objects = await _read_moment(call, page.revision)
    found = [stored for stored in objects if selection.matches(stored)]
    if page.after is not None:
        found = [stored for stored in found if stored.key > Key(call.resource.storage_name, *page.after)]
    metadata: dict[str, Any] = {"resourceVersion": str(page.revision)}
    if page.limit and len(found) > page.limit:
        last = found[page.limit - 1].key
        metadata["continue"] = _encode_token(page.revision, (last.namespace, last.name))
        if not selection.selective:
            metadata["remainingItemCount"] = len(found) - page.limit
        found = found[: page.limit]
    return build_list(call, found, metadata)


async def _read_moment(call: Call, revision: int) -> list[Stored]:
    store, name = call.cluster.store, call.resource.storage_name
    if revision == store.revision:
        return store.items(name, call.target.namespace)
    try:
        return await store.snapshot(name, call.target.namespace, revision)
    except ExpiredError as error:
        if call.request.query.get("continue"):
            raise statuses.expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
                "the continue parameter."
            ) from error
        raise statuses.expired(str(error)) from error


def read_page(call: Call) -> Page:
    """limit, continue, resourceVersion and resourceVersionMatch. Raises 400, 422, 504."""
    query, current = call.request.query, call.cluster.store.revision
    limit = parse_natural(query.get("limit", ""), "limit")
    if token := query.get("continue"):
        if query.get("resourceVersion", "") not in ("", "0"):
            raise statuses.bad_request("specifying resource version is not allowed when using continue")
        return Page(*_decode_token(token), limit)
    asked = parse_natural(query.get("resourceVersion", ""), "resourceVersion")
    match = query.get("resourceVersionMatch", "")
    check_match(match, query.get("resourceVersion", ""))
    if asked > current:
        raise statuses.resource_version_too_large(asked, current)
    exact = match == "Exact" or (limit and asked and not match)
    return Page(asked if exact else current, None, limit)


def check_match(match: str, revision: str) -> None:
    """ResourceVersionMatch of a list. Raises 422."""
    errors = []
    if match and not revision:
        message = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        errors.append(fielderrors.forbidden("resourceVersionMatch", message))
    if match not in ("", "Exact", "NotOlderThan"):
        errors.append(fielderrors.not_supported("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""]))
    if match == "Exact" and revision == "0":
        message = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        errors.append(fielderrors.forbidden("resourceVersionMatch", message))
    if errors:
        raise statuses.invalid("ListOptions", META_GROUP, "", errors)


def parse_natural(text: str, name: str) -> int:
    """A whole number from 0, absent is 0. Raises 400 (422 for resourceVersion, as the server has it)."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        if name == "resourceVersion":
            error = fielderrors.invalid(
                "resourceVersion", text, f'strconv.ParseUint: parsing "{text}": invalid syntax'
            )
            raise statuses.invalid("ListOptions", META_GROUP, "", [error])
        raise statuses.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _encode_token(revision: int, last: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(encode({"v": 1, "rv": revision, "last": last})).decode().rstrip("=")


def _decode_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        value = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = value["last"]
        return int(value["rv"]), (str(namespace), str(name))
    except (ValueError, KeyError, TypeError) as error:
        raise statuses.bad_request(f"continue key is not valid: {error}") from error


def build_list(call: Call, found: Sequence[Stored], metadata: Mapping[str, Any]) -> Response:
    """A list in the form that the client asked for."""
    representation = negotiate(call.request.headers.get("accept", ""), forms=FORMS_OF_LIST)
    resource = call.resource
    if representation.form == "Table":
        table = table_of(call, [stored.object for stored in found], dict(metadata), representation.version)
        return build_response(table, media_type=representation.media_type)
    if representation.form == "PartialObjectMetadataList":
        version = representation.version
        items = [partial_metadata(stored.object, f"meta.k8s.io/{version}") for stored in found]
        kind = {"kind": "PartialObjectMetadataList", "apiVersion": f"meta.k8s.io/{version}"}
        return build_response(
            {**kind, "metadata": metadata, "items": items}, media_type=representation.media_type
        )
    head = {"kind": resource.kind_of_list, "apiVersion": resource.api_version, "metadata": metadata}
    if representation.media_type != JSON:
        return build_response(
            {**head, "items": [s.object for s in found]}, media_type=representation.media_type
        )
    # The objects are JSON already: a list is their bytes between brackets.
    return Response(encode(head)[:-1] + b',"items":[' + b",".join(s.encoded for s in found) + b"]}")
