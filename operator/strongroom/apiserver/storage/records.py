"""What storage hands out: keys, stored objects and the events that changed them. Objects are shared, so nobody may change one."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Object = dict[str, Any]
Operation = Literal["ADDED", "MODIFIED", "DELETED"]


class Key(NamedTuple):
    """Where an object is; `resource` is `plural` or `plural.group`, `namespace` is empty for cluster-wide ones."""

    resource: str
    namespace: str
    name: str


def encode(obj: Any) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(obj, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(slots=True)
class Stored:
    """One object at one revision, with its JSON, encoded once and shared by the log and every reader."""

    key: Key
    revision: int
    object: Object
    encoded: bytes

    @classmethod
    def build(cls, key: Key, revision: int, obj: Object) -> "Stored":
        """Stamp the revision into a copy of the object's metadata."""
        stamped = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
        return cls(key, revision, stamped, encode(stamped))


@dataclass(slots=True)
class Event:
    """One change. `current` is the object after it (for DELETED its last state, at the revision of the deletion)."""

    revision: int
    operation: Operation
    current: Stored
    previous: Stored | None
    lines: dict[str, bytes] = field(default_factory=dict)
    """Encoded watch lines by the API version they are served in, so that equal watchers share them."""
