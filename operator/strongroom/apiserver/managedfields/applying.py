"""Server-side apply: merge, take away what is no longer applied, settle who owns what."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from strongroom.apiserver.managedfields import lastapplied
from strongroom.apiserver.managedfields.comparison import Comparison, compare, field_set
from strongroom.apiserver.managedfields.conflicts import Conflict, ConflictError
from strongroom.apiserver.managedfields.entries import (
    APPLY,
    UNTRACKED,
    Owned,
    Owner,
    Write,
    build_entries,
    disowned,
    starting_entries,
)
from strongroom.apiserver.managedfields.merging import merge, remove
from strongroom.apiserver.managedfields.paths import NONE, Paths, with_named_parents
from strongroom.apiserver.managedfields.tracking import updated, without_entries
from strongroom.apiserver.managedfields.typing import Schema, check_typed, object_schema

Object = dict[str, Any]

BEFORE_FIRST_APPLY = "before-first-apply"


def apply(
    live: Object | None, applied: Object, write: Write, schema: Schema | None, *, force: bool = False
) -> Object:
    """The object to store, not yet defaulted or validated. `live` is None when apply creates; nothing given is changed.

    Raises ConflictError (409), TypedPatchError for a body that does not fit the schema, and ValueError when the body has managedFields (400).
    """
    if (applied.get("metadata") or {}).get("managedFields") is not None:
        raise ValueError("metadata.managedFields must be nil")
    typed = object_schema(schema)
    check_typed(applied, typed)
    managed = starting_entries(live, {}, write)
    base = without_entries(live) if live else {}
    if not managed and live:
        managed = updated({}, {}, base, replace(write, manager=BEFORE_FIRST_APPLY), schema)
    step = _Apply(base, copy.deepcopy(applied), write, typed, managed)
    merged, owners = step.run(force=force)
    if write.manager == lastapplied.MANAGER:
        merged = lastapplied.refreshed(merged, applied)
    return _with_entries(merged, owners)


@dataclass(frozen=True)
class _Apply:
    live: Object
    applied: Object
    write: Write
    schema: Schema
    managed: dict[Owner, Owned]

    def run(self, *, force: bool) -> tuple[Object, dict[Owner, Owned]]:
        owner = self.write.owner(APPLY)
        last = self.managed.get(owner)
        paths = self.write.in_scope(field_set(self.applied, self.schema)) - UNTRACKED
        managed = {**self.managed, owner: Owned(paths, self.write.api_version, last.time if last else None)}
        merged = self._pruned(
            merge(self.live, self.applied, self.schema), managed, last.paths if last else NONE
        )
        changes = compare(self.live, merged, self.schema)
        taken = self.write.in_scope(changes.added | changes.modified)
        if not force:
            self._refuse_conflicts(managed, owner, taken)
        owners = disowned(managed, taken | self.write.in_scope(changes.removed), but=owner)
        if owner in owners and not self._is_same(changes):
            owners[owner] = replace(owners[owner], time=self.write.now)
        return merged, owners

    def _is_same(self, changes: Comparison) -> bool:
        return not self.write.in_scope(changes.added | changes.modified | changes.removed)

    def _refuse_conflicts(self, managed: Mapping[Owner, Owned], owner: Owner, taken: Paths) -> None:
        conflicts = [
            Conflict(other, owned, path)
            for other, owned in managed.items()
            if other != owner
            for path in owned.paths & taken
        ]
        if conflicts and self.write.manager == lastapplied.MANAGER:
            allowed = lastapplied.allowed_paths(self.live, self.schema, self.write.api_version)
            conflicts = [conflict for conflict in conflicts if conflict.path not in allowed]
        if conflicts:
            raise ConflictError(conflicts)

    def _pruned(self, merged: Object, managed: Mapping[Owner, Owned], last: Paths) -> Object:
        """Without what this manager applied last time, does not apply now, and nobody else owns."""
        if last <= managed[self.write.owner(APPLY)].paths:
            return merged
        everything = with_named_parents(field_set(merged, self.schema))
        gone = with_named_parents(last)
        left = with_named_parents(field_set(remove(merged, gone, self.schema), self.schema))
        owned = with_named_parents(frozenset(path for entry in managed.values() for path in entry.paths))
        left = with_named_parents(
            field_set(remove(merged, everything - (left | owned), self.schema), self.schema)
        )
        return dict(remove(merged, (everything - left - owned) & gone, self.schema))


def _with_entries(obj: Object, owners: Mapping[Owner, Owned]) -> Object:
    return {**obj, "metadata": {**obj.get("metadata", {}), "managedFields": build_entries(owners)}}
