"""Every write that is not an apply: what it changed now belongs to its manager."""

from collections.abc import Mapping
from typing import Any

from strongroom.apiserver.managedfields.comparison import compare
from strongroom.apiserver.managedfields.entries import (
    UNTRACKED,
    UPDATE,
    Managed,
    Owned,
    Owner,
    Write,
    build_entries,
    capped,
    disowned,
    starting_entries,
)
from strongroom.apiserver.managedfields.typing import Schema, object_schema

Object = Mapping[str, Any]


def track_update(
    old: Object | None, new: Object, write: Write, schema: Schema | None
) -> list[dict[str, Any]]:
    """The managedFields that `new` must be stored with; `old` is None on create.

    `new` may carry managedFields written by the client: they count. An object that lost its entries (`[{}]`) stays without until it is applied.
    """
    managed = starting_entries(old, new, write)
    if not managed and old is not None:
        return []
    return build_entries(capped(updated(managed, old or {}, new, write, schema)))


def updated(
    managed: Managed, old: Object, new: Object, write: Write, schema: Schema | None
) -> dict[Owner, Owned]:
    """The owners after `old` became `new` by this write."""
    changes = compare(without_entries(old), without_entries(new), object_schema(schema))
    taken = write.in_scope(changes.added | changes.modified)
    result = disowned(managed, taken | write.in_scope(changes.removed))
    if kept := taken - UNTRACKED:
        owner = write.owner(UPDATE)
        before = result.get(owner)
        result[owner] = Owned(kept | before.paths if before else kept, write.api_version, write.now)
    return result


def without_entries(obj: Object) -> dict[str, Any]:
    metadata = {name: value for name, value in (obj.get("metadata") or {}).items() if name != "managedFields"}
    return {**obj, "metadata": metadata} if "metadata" in obj else dict(obj)
