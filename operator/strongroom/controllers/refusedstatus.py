"""How a status looks while the API server refuses something about its object.

The primary condition is replaced, so that an object of which something could not be done never looks well.
"""

from datetime import datetime
from typing import Any, TypeVar

from strongroom.api.conditions import MESSAGE_LENGTH, READY, SUCCEEDED, build_condition, with_condition
from strongroom.api.fields import Fields
from strongroom.api.resources import ObjectMeta
from strongroom.kube.kinds import HOSTS, POLICIES, RESTORES, RUNS, STORES, ApiKind
from strongroom.kube.refusals import Refusal

Status = TypeVar("Status", bound=Fields)
TERMINAL_PHASES = ("Succeeded", "Partial", "Failed", "Skipped")
_PRIMARY: dict[ApiKind, tuple[str, bool | None]] = {
    POLICIES: (READY, False),
    STORES: (READY, False),
    HOSTS: (READY, False),
    RUNS: (SUCCEEDED, None),
    RESTORES: (SUCCEEDED, None),
}
"""The condition that people look at, and what it is while something is refused."""


def with_refusal(kind: ApiKind, status: Status, refusal: Refusal, meta: ObjectMeta, now: datetime) -> Status:
    """The status with the primary condition as the refusal makes it; what is terminal stays as it is."""
    fields: Any = status
    if kind not in _PRIMARY or getattr(fields, "phase", None) in TERMINAL_PHASES:
        return status
    type_, value = _PRIMARY[kind]
    condition = build_condition(
        type_,
        status=value,
        reason=refusal.reason,
        message=refusal.message,
        now=now,
        generation=meta.generation,
    )
    changes: dict[str, Any] = {"conditions": with_condition(fields.conditions, condition)}
    if "message" in type(status).model_fields:
        changes["message"] = refusal.message[:MESSAGE_LENGTH]
    return status.model_copy(update=changes)
