"""What did a typed client say in protobuf? Request bodies of `application/vnd.kubernetes.protobuf` as plain JSON-shaped objects.

Belongs here: the envelope, the wire format, and a table of fields for each kind a stock client sends (kubectl from 1.32 on).
Forbidden: answers in protobuf (clients accept JSON), validation.
"""

import json
from typing import Any

from strongroom.apiserver.protobuf.fields import decode_message
from strongroom.apiserver.protobuf.messages import ENVELOPE, KINDS

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"


def decode_body(body: bytes) -> dict[str, Any]:
    """One object with its apiVersion and kind. Raises ValueError for a broken body or a kind that has no table."""
    if not body.startswith(MAGIC):
        raise ValueError("provided data does not appear to be a protobuf message, expected prefix k8s\\x00")
    envelope = decode_message(body[len(MAGIC) :], ENVELOPE)
    meta, raw = envelope.get("typeMeta", {}), envelope.get("raw", b"")
    if envelope.get("contentEncoding"):
        raise ValueError(
            f"content encoding {envelope['contentEncoding']!r} is not supported in a protobuf body"
        )
    if envelope.get("contentType") == "application/json":
        content: dict[str, Any] = json.loads(raw)
        return content
    api_version, kind = meta.get("apiVersion", ""), meta.get("kind", "")
    fields = KINDS.get((api_version, kind)) or KINDS.get(("", kind))
    if fields is None:
        raise ValueError(f"no protobuf decoder for {api_version}, Kind={kind}; send it as application/json")
    return {"apiVersion": api_version, "kind": kind, **decode_message(raw, fields)}
