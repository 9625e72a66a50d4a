"""`meta.k8s.io` Tables: what `kubectl get` prints, from a list of objects and columns.

Sources: apiextensions `tableconvertor`, apimachinery `util/duration`. A column is a definition and a function from an object (and the time)
to a cell, so printer columns of CRDs and columns of built-in kinds are the same thing here.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from strongroom.apiserver.fielderrors import go_json, go_text
from strongroom.apiserver.jsonpath import parse_json_path

Cell = Callable[[dict[str, Any], dt.datetime], Any]

_NAME_DESCRIPTION = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the "
    "generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. "
    "Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
_AGE_DESCRIPTION = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in "
    "happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\n"
    "Populated by the system. Read-only. Null for lists. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)


@dataclass(frozen=True)
class Column:
    """`type` and `format` as in OpenAPI; columns of priority above 0 show with `-o wide` only."""

    name: str
    cell: Cell
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0

    def definition(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def name_of(item: dict[str, Any], _now: dt.datetime) -> Any:
    return item["metadata"]["name"]


def age_of(item: dict[str, Any], now: dt.datetime) -> Any:
    return age_text(item["metadata"].get("creationTimestamp"), now)


NAME = Column("Name", name_of, format="name", description=_NAME_DESCRIPTION)
AGE = Column("Age", age_of, type="date", description=_AGE_DESCRIPTION)


def printer_columns(additional: Sequence[dict[str, Any]] | None) -> list[Column]:
    """The columns of a CRD version: Name and its `additionalPrinterColumns`, or Name and Age when it has none.

    Raises jsonpath.JSONPathError.
    """
    if not additional:
        return [NAME, AGE]
    return [NAME, *(_printer_column(entry) for entry in additional)]


def _printer_column(entry: dict[str, Any]) -> Column:
    path, kind = parse_json_path(entry["jsonPath"]), entry["type"]

    def cell(item: dict[str, Any], now: dt.datetime) -> Any:
        found = path.find(item)
        return typed_cell(kind, found[0], now) if found else None

    return Column(
        entry["name"],
        cell,
        kind,
        entry.get("format", ""),
        entry.get("description", ""),
        entry.get("priority", 0),
    )


def build_table(
    items: Iterable[dict[str, Any]],
    columns: Sequence[Column],
    *,
    now: dt.datetime,
    include_object: str = "Metadata",
    list_metadata: dict[str, Any] | None = None,
    version: str = "v1",
    with_definitions: bool = True,
) -> dict[str, Any]:
    """A Table of `items`; `include_object` is None, Metadata or Object. Watches send the definitions only with their first event."""
    api_version = f"meta.k8s.io/{version}"
    return {
        "kind": "Table",
        "apiVersion": api_version,
        "metadata": list_metadata or {},
        "columnDefinitions": [column.definition() for column in columns] if with_definitions else None,
        "rows": [
            {
                "cells": [column.cell(item, now) for column in columns],
                "object": _row_object(item, include_object, api_version),
            }
            for item in items
        ],
    }


def partial_metadata(item: dict[str, Any], api_version: str = "meta.k8s.io/v1") -> dict[str, Any]:
    return {"kind": "PartialObjectMetadata", "apiVersion": api_version, "metadata": item["metadata"]}


def _row_object(item: dict[str, Any], include_object: str, api_version: str) -> dict[str, Any] | None:
    if include_object == "None":
        return None
    return item if include_object == "Object" else partial_metadata(item, api_version)


def typed_cell(kind: str, value: Any, now: dt.datetime) -> Any:
    """A found value as a cell of the column's type; None when it is of another type."""
    if value is None:
        return None
    if kind == "string":
        return go_json(value) if isinstance(value, dict | list) else go_text(value)
    if kind == "date":
        return age_text(value, now) if isinstance(value, str) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if kind == "integer" else float(value)


def age_text(timestamp: str | None, now: dt.datetime) -> str:
    """How long ago, such as `3m20s`."""
    if not timestamp:
        return "<unknown>"
    try:
        moment = dt.datetime.fromisoformat(timestamp)
    except ValueError:
        return "<invalid>"
    return human_duration(now - (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)))


def human_duration(length: dt.timedelta) -> str:  # noqa: PLR0911 - one step for each unit, as in the source
    """At most two units, coarser as it grows; up to one second in the future counts as now."""
    seconds = int(length.total_seconds())
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(days // 365, "y", days % 365, "d") if days < 2920 else f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"
