"""/openapi/v2, without a single schema: enough for the clients that still ask for it.

kubectl asks it, in protobuf, whenever v3 cannot answer: for a `kind: List` always, and for everything before 1.29. A kind that
it does not find there it leaves to the server's own validation.

Source of the protobuf form: message Document of OpenAPIv2.proto in gnostic (swagger = 1, info = 2, paths = 8).
"""

from strongroom.apiserver.http.responses import Response, build_response

PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""As servers answer it: the `@` of the request is no character of a media type."""
_TITLE, _VERSION = "Kubernetes", "unversioned"


def build_openapi2(accept: str) -> Response:
    """The document in protobuf where that is asked for, else in JSON."""
    if "proto-openapi.spec.v2" in accept:
        return Response(_encode(), media_type=PROTOBUF)
    info = {"title": _TITLE, "version": _VERSION}
    return build_response({"swagger": "2.0", "info": info, "paths": {}, "definitions": {}})


def _encode() -> bytes:
    info = _field(1, _TITLE.encode()) + _field(2, _VERSION.encode())
    return _field(1, b"2.0") + _field(2, info) + _field(8, b"")


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of fewer than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content
