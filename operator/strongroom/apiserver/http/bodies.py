"""Bodies into objects, by their media type: JSON, YAML, and the protobuf that typed clients send."""

from typing import Any

from strongroom.apiserver import protobuf
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.documents import Document
from strongroom.apiserver.http.jsons import decode_json
from strongroom.apiserver.http.requests import Request
from strongroom.apiserver.http.yamls import decode_yaml

READABLE = ("application/json", "application/yaml", protobuf.MEDIA_TYPE)


def read_object(request: Request, kind: str = "") -> Document:
    """The object in the body. Raises 415 for a foreign media type and 400 for what cannot be read or is no object."""
    if request.media_type == protobuf.MEDIA_TYPE:
        body = _decode_protobuf(request.body)
    elif request.media_type == "application/yaml":
        body = decode_yaml(request.body)
    elif request.media_type == "application/json":
        body = decode_json(request.body)
    else:
        listed = ", ".join(READABLE)
        raise statuses.unsupported_media(
            f"the body of the request was in an unknown format - accepted media types include: {listed}"
        )
    if not isinstance(body.value, dict):
        target = kind or "unstructured.Unstructured"
        raise statuses.bad_request(
            f"couldn't get version/kind; json parse error: json: cannot unmarshal {_go_name(body.value)} into Go value of type {target}"
        )
    return body


def _decode_protobuf(raw: bytes) -> Document:
    try:
        return Document(protobuf.decode_body(raw))
    except ValueError as error:
        raise statuses.bad_request(f"error decoding request body: {error}") from error


def _go_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, list):
        return "array"
    return "string" if isinstance(value, str) else "number"
