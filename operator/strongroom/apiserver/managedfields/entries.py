"""The entries of `metadata.managedFields`: who, how, through which endpoint, which paths, when."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from strongroom.apiserver.managedfields.paths import Path, Paths, build_fields, parse_fields

APPLY, UPDATE = "Apply", "Update"
MAX_UPDATE_MANAGERS = 10
ANCIENT_CHANGES = "ancient-changes"

_SYSTEM_FIELDS = (
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
)
UNTRACKED: Paths = frozenset(
    {
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(("f:metadata", f"f:{name}") for name in _SYSTEM_FIELDS),
    }
)
"""Fields that nobody owns: identity, and what the server itself writes."""


@dataclass(frozen=True)
class Write:
    """One request that writes. `now` is RFC 3339 in whole seconds; `has_status`: the kind has a status subresource."""

    manager: str
    api_version: str
    now: str
    subresource: str = ""
    has_status: bool = False

    def owner(self, operation: str) -> "Owner":
        version = "" if operation == APPLY else self.api_version
        return Owner(self.manager or "unknown", operation, version, self.subresource)

    def in_scope(self, paths: Iterable[Path]) -> Paths:
        """The paths this endpoint can change: `/status` only the status, the main one all but the status."""
        if self.subresource == "status":
            return frozenset(path for path in paths if path[0] == "f:status")
        if self.has_status:
            return frozenset(path for path in paths if path[0] != "f:status")
        return frozenset(paths)


@dataclass(frozen=True)
class Owner:
    """Identity of an entry; an applier keeps its entry when it changes to another version."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""


@dataclass(frozen=True)
class Owned:
    paths: Paths
    api_version: str
    time: str | None = None


Managed = Mapping[Owner, Owned]


def read_entries(entries: Any) -> dict[Owner, Owned]:
    """Raises ValueError for entries no server wrote."""
    managed: dict[Owner, Owned] = {}
    for entry in entries or []:
        if entry.get("operation") not in {APPLY, UPDATE} or entry.get("fieldsType", "FieldsV1") != "FieldsV1":
            raise ValueError(f"invalid managed fields entry of manager {entry.get('manager')!r}")
        version = entry.get("apiVersion", "")
        owner = Owner(
            entry.get("manager", ""),
            entry["operation"],
            "" if entry["operation"] == APPLY else version,
            entry.get("subresource", ""),
        )
        managed[owner] = Owned(parse_fields(entry.get("fieldsV1") or {}), version, entry.get("time"))
    return managed


def build_entries(managed: Managed) -> list[dict[str, Any]]:
    """Appliers first, then by time, manager, version, subresource."""
    ordered = sorted(
        managed.items(),
        key=lambda item: (
            item[0].operation,
            item[1].time or "",
            item[0].manager,
            item[1].api_version,
            item[0].subresource,
        ),
    )
    return [_entry(owner, owned) for owner, owned in ordered]


def _entry(owner: Owner, owned: Owned) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "manager": owner.manager,
        "operation": owner.operation,
        "apiVersion": owned.api_version,
        "time": owned.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": build_fields(owned.paths),
        "subresource": owner.subresource,
    }
    return {name: value for name, value in entry.items() if name == "fieldsV1" or value}


def starting_entries(
    old: Mapping[str, Any] | None, new: Mapping[str, Any], write: Write
) -> dict[Owner, Owned]:
    """The entries a write begins with: those the client sent, else the live ones. `[{}]` from a client clears them.

    Through a subresource a client cannot write entries, and what cannot be read counts as not sent.
    """
    live = _readable((old or {}).get("metadata", {}).get("managedFields"))
    sent = new.get("metadata", {}).get("managedFields")
    if write.subresource or not sent:
        return live
    if sent == [{}]:
        return {}
    return _readable(sent) or live


def _readable(entries: Any) -> dict[Owner, Owned]:
    try:
        return read_entries(entries)
    except (ValueError, AttributeError):
        return {}


def disowned(managed: Managed, paths: Paths, *, but: Owner | None = None) -> dict[Owner, Owned]:
    """Everyone (but one) loses `paths`; who has nothing left is gone."""
    rest = {
        owner: owned if owner == but else replace(owned, paths=owned.paths - paths)
        for owner, owned in managed.items()
    }
    return {owner: owned for owner, owned in rest.items() if owned.paths}


def capped(managed: Managed) -> dict[Owner, Owned]:
    """At most ten updaters: the oldest of each version are merged into one entry, `ancient-changes`."""
    result = dict(managed)
    updaters = sorted(
        (owner for owner in result if owner.operation == UPDATE),
        key=lambda owner: (result[owner].time or "", owner.manager),
    )
    surplus = len(updaters) - MAX_UPDATE_MANAGERS
    firsts: dict[str, Owner] = {}
    for owner in updaters:
        if surplus <= 0:
            break
        version = result[owner].api_version
        bucket = Owner(ANCIENT_CHANGES, UPDATE, version)
        first = firsts.setdefault(version, owner)
        if first == owner:
            continue
        if bucket not in result:
            result[bucket] = result.pop(first)
        moved = result.pop(owner)
        result[bucket] = Owned(result[bucket].paths | moved.paths, version, moved.time)
        surplus -= 1
    return result
