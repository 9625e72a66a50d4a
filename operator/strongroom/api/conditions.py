"""Conditions: what is true of an object now, since when and why, in Kubernetes' own shape (metav1.Condition)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from strongroom.api.fields import Fields, Time

ConditionStatus = Literal["True", "False", "Unknown"]
MESSAGE_LENGTH = 1024

READY = "Ready"
FRESH = "Fresh"
COPIES_SATISFIED = "CopiesSatisfied"
DRILLED = "Drilled"
SUCCEEDED = "Succeeded"
RETENTION_BLOCKED = "RetentionBlocked"
UNTRUSTED_POINTS = "UntrustedPoints"
TARGET_SHARED = "TargetShared"
PLACE_SHARED = "PlaceShared"
ENCRYPTION_UNAUTHENTICATED = "EncryptionUnauthenticated"
FOREIGN_HISTORY = "ForeignHistory"
SYNCED = "Synced"
ENGINE_READY = "EngineReady"
DATABASES_COVERED = "DatabasesCovered"


class Condition(Fields):
    """One aspect of an object's state."""

    type: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Z][A-Za-z0-9]*$")] = Field(
        description="Aspect of the object that this condition speaks of, in CamelCase."
    )
    status: ConditionStatus = Field(description="True, False or Unknown.")
    reason: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Z][A-Za-z0-9]*$")] = Field(
        description="Stable CamelCase word for programs: why the condition has this status."
    )
    message: Annotated[str, Field(max_length=MESSAGE_LENGTH)] = Field(
        default="", description="Text for people: which object and field, and what to do."
    )
    last_transition_time: Time = Field(description="When the status last changed.")
    observed_generation: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="The metadata.generation that this condition was computed from."
    )


def find_condition(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of that type, if there is one."""
    return next((c for c in conditions if c.type == type_), None)


def with_condition(conditions: Sequence[Condition], new: Condition) -> list[Condition]:
    """The list with `new` in the place of its type; an unchanged status keeps its transition time."""
    old = find_condition(conditions, new.type)
    if old is not None and old.status == new.status:
        new = new.model_copy(update={"last_transition_time": old.last_transition_time})
    if old is None:
        return [*conditions, new]
    return [new if c.type == new.type else c for c in conditions]


def build_condition(
    type_: str,
    *,
    status: bool | None,
    reason: str,
    message: str,
    now: datetime,
    generation: int | None = None,
) -> Condition:
    """A condition from a three-valued status; the message is cut to its bound."""
    word: ConditionStatus = "Unknown" if status is None else "True" if status else "False"
    return Condition(
        type=type_,
        status=word,
        reason=reason,
        message=message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 1] + "…",
        last_transition_time=now,
        observed_generation=generation,
    )
