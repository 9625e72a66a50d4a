"""Strategic merge patches for the built-in kinds (apimachinery `strategicpatch`).

Of the kinds served here only metadata has lists that merge: `ownerReferences` by `uid`, `finalizers` as a set; a caller adds others by
path. Directives: `$patch: replace|delete|merge`, `$retainKeys`, `$deleteFromPrimitiveList/<list>`, `$setElementOrder/<list>`.
"""

import copy
from collections.abc import Mapping
from typing import Any

from strongroom.apiserver.jsonmerge import BadPatchError

Path = tuple[str, ...]

SET = ""
"""As a merge key: the list is a set of scalars."""

MERGED_LISTS: Mapping[Path, str] = {("metadata", "ownerReferences"): "uid", ("metadata", "finalizers"): SET}

_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_merge_patch(
    target: dict[str, Any], patch: Any, merged_lists: Mapping[Path, str] = MERGED_LISTS
) -> dict[str, Any]:
    """A new object. `merged_lists` gives the merge key by the path of each merging list. Raises BadPatchError."""
    if not isinstance(patch, dict):
        raise BadPatchError("a strategic merge patch is an object")
    return _Merge(merged_lists).objects(target, patch, ())


class _Merge:
    def __init__(self, merged_lists: Mapping[Path, str]) -> None:
        self._merged_lists = merged_lists

    def objects(self, target: Any, patch: dict[str, Any], path: Path) -> dict[str, Any]:
        directive = patch.get("$patch")
        body = {name: value for name, value in patch.items() if not name.startswith("$")}
        if directive == "replace":
            return copy.deepcopy(body)
        if directive == "delete":
            return {}
        if directive not in {None, "merge"}:
            raise BadPatchError(f"Unknown patch type: {directive}")
        merged = _retained(dict(target) if isinstance(target, dict) else {}, patch, body)
        for name, items in _listed(patch, _DELETE_FROM).items():
            if isinstance(merged.get(name), list):
                merged[name] = [item for item in merged[name] if item not in items]
        for name, value in body.items():
            self._merge_field(merged, name, value, (*path, name))
        for name, order in _listed(patch, _ORDER).items():
            if isinstance(merged.get(name), list):
                merged[name] = _ordered(merged[name], order, self._merged_lists.get((*path, name)))
        return merged

    def _merge_field(self, merged: dict[str, Any], name: str, value: Any, path: Path) -> None:
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = self.objects(merged.get(name), value, path)
        elif isinstance(value, list) and path in self._merged_lists:
            merged[name] = self._lists(merged.get(name) or [], value, path)
        else:
            merged[name] = copy.deepcopy(value)

    def _lists(self, target: list[Any], patch: list[Any], path: Path) -> list[Any]:
        merge_key = self._merged_lists[path]
        if merge_key == SET:
            return [*target, *(item for item in dict.fromkeys(patch) if item not in target)]
        if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
            return [copy.deepcopy(item) for item in patch if "$patch" not in item]
        merged = list(target)
        for item in patch:
            if not isinstance(item, dict) or merge_key not in item:
                raise BadPatchError(f"map: {item} does not contain declared merge key: {merge_key}")
            self._merge_item(merged, item, merge_key, path)
        return merged

    def _merge_item(self, merged: list[Any], item: dict[str, Any], merge_key: str, path: Path) -> None:
        found = next(
            (position for position, old in enumerate(merged) if old.get(merge_key) == item[merge_key]), None
        )
        if item.get("$patch") == "delete":
            if found is not None:
                del merged[found]
        elif found is None:
            merged.append(self.objects({}, item, path))
        else:
            merged[found] = self.objects(merged[found], item, path)


def _retained(target: dict[str, Any], patch: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    keys = patch.get("$retainKeys")
    if keys is None:
        return target
    if not isinstance(keys, list) or any(name not in keys for name in body):
        raise BadPatchError("unable to get the retainKeys list: a patched field is not in it")
    return {name: value for name, value in target.items() if name in keys}


def _listed(patch: dict[str, Any], prefix: str) -> dict[str, list[Any]]:
    directives = {
        name.removeprefix(prefix): items for name, items in patch.items() if name.startswith(prefix)
    }
    if not all(isinstance(items, list) for items in directives.values()):
        raise BadPatchError(f"{prefix} needs a list")
    return directives


def _ordered(items: list[Any], order: list[Any], merge_key: str | None) -> list[Any]:
    """Items named in `order` in its order; each other item stays behind the item it followed."""

    def identity(item: Any) -> Any:
        return item.get(merge_key) if merge_key and isinstance(item, dict) else item

    ranks = {str(identity(item)): rank for rank, item in enumerate(order)}
    keyed: list[tuple[int, int, Any]] = []
    last_rank = -1
    for position, item in enumerate(items):
        rank = ranks.get(str(identity(item)))
        last_rank = last_rank if rank is None else rank
        keyed.append((last_rank, 0 if rank is not None else position + 1, item))
    return [item for _, _, item in sorted(keyed, key=lambda entry: entry[:2])]
