"""The way from client-side to server-side apply: what kubectl noted in its annotation may be taken over without a conflict.

Source: apimachinery `managedfields/internal/lastappliedmanager.go` and `lastappliedupdater.go`. Only for the manager `kubectl`.
"""

import json
from collections.abc import Mapping
from typing import Any

from strongroom.apiserver.fielderrors import go_json
from strongroom.apiserver.managedfields.comparison import compare, field_set
from strongroom.apiserver.managedfields.paths import NONE, Paths
from strongroom.apiserver.managedfields.typing import Schema

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "kubectl"

_MAX_BYTES = 256 * 1024


def allowed_paths(live: Mapping[str, Any], schema: Schema, api_version: str) -> Paths:
    """The fields the annotation names whose live values are still as it has them."""
    try:
        noted = json.loads(_annotation(live))
    except ValueError:
        return NONE
    if not isinstance(noted, dict) or noted.get("apiVersion") != api_version:
        return NONE
    changes = compare(noted, live, schema)
    return field_set(noted, schema) - changes.added - changes.modified - changes.removed


def refreshed(merged: dict[str, Any], applied: Mapping[str, Any]) -> dict[str, Any]:
    """The object with its annotation, if it has one, saying what was applied now."""
    if not _annotation(merged):
        return merged
    annotations = {
        key: value
        for key, value in ((applied.get("metadata") or {}).get("annotations") or {}).items()
        if key != ANNOTATION
    }
    metadata = {key: value for key, value in (applied.get("metadata") or {}).items() if key != "annotations"}
    text = (
        go_json(
            {**applied, "metadata": {**metadata, **({"annotations": annotations} if annotations else {})}}
        )
        + "\n"
    )
    others = {key: value for key, value in merged["metadata"]["annotations"].items() if key != ANNOTATION}
    fits = (
        sum(len(key.encode()) + len(value.encode()) for key, value in others.items()) + len(text.encode())
        <= _MAX_BYTES
    )
    return {
        **merged,
        "metadata": {**merged["metadata"], "annotations": {**others, ANNOTATION: text if fits else ""}},
    }


def _annotation(obj: Mapping[str, Any]) -> str:
    return str(((obj.get("metadata") or {}).get("annotations") or {}).get(ANNOTATION) or "")
