"""RFC 7386 merge patches and RFC 6902 JSON patches, as pure functions over parsed JSON."""

import copy
import json
from typing import Any

import jsonpatch
import jsonpointer

MAX_OPERATIONS = 10_000
"""The server answers 413 to longer JSON patches; the caller checks it, knowing its own words for it."""


class BadPatchError(ValueError):
    """The patch document itself is malformed (400)."""


class PatchFailedError(ValueError):
    """An operation or a `test` did not succeed on this object (422)."""


def merge_patch(target: Any, patch: Any) -> Any:
    """A new value: null removes, objects merge, all else replaces. `target` is not changed."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def json_patch(target: Any, operations: Any) -> Any:
    """A new value. Raises BadPatchError for a malformed document, PatchFailedError for an operation that cannot be applied."""
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise BadPatchError("a JSON patch is a list of operations")
    try:
        # The library checks the operations' form only while they run; as on the server all of that is a failed patch.
        return jsonpatch.JsonPatch(operations).apply(copy.deepcopy(target))
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, json.JSONDecodeError) as error:
        raise PatchFailedError(str(error)) from error
    except (TypeError, KeyError, IndexError, ValueError, AttributeError) as error:
        # jsonpatch lets these out when an operation meets a scalar where it expects a container.
        raise PatchFailedError(f"{type(error).__name__}: {error}") from error
