"""Types of fields that several kinds share: bounded strings, durations, references; and the base model they live in."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
DURATION = r"^([0-9]{1,6}[smhdw]){1,5}$"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Fields(BaseModel):
    """A part of a resource: camelCase outside, snake_case inside, unknown fields dropped as the API server drops them."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="ignore", frozen=True
    )

    def to_api(self) -> dict[str, Any]:
        """Plain JSON values under their API names, without unset optional fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StrictFields(Fields):
    """A message between our own parts: an unknown field is an error, because it may be an instruction we would miss."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="forbid", frozen=True
    )


def parse_duration(text: str) -> timedelta:
    """Turn `36h`, `1h30m` or `7d` into a span of time.

    Raises ValueError when the text is not a row of whole numbers with the units s, m, h, d or w.
    """
    if not re.fullmatch(DURATION, text):
        raise ValueError(f"{text!r} is not a duration such as 30s, 5m, 1h30m, 7d or 2w")
    return timedelta(
        seconds=sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"([0-9]+)([smhdw])", text))
    )


def format_duration(span: timedelta) -> str:
    """The shortest text that `parse_duration` reads back, to the whole second."""
    seconds = int(span.total_seconds())
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, seconds = divmod(seconds, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second, as Kubernetes writes `metav1.Time`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset, such as the Z in 2026-11-22T02:00:00Z")
    return moment


def _no_line_breaks(text: str) -> str:
    if any(c in text for c in "\n\r\0"):
        raise ValueError("must not hold line breaks or NUL")
    return text


Name = Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL)]
"""A DNS label: fit for a name that becomes a label value or part of a child's name."""
ResourceName = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
"""The name of any Kubernetes object."""
Duration = Annotated[str, Field(min_length=2, max_length=32, pattern=DURATION)]
Time = Annotated[datetime, AfterValidator(_aware)]
Line = Annotated[
    str, Field(min_length=1, max_length=1024, pattern=r"^[^\n\r\x00]*$"), AfterValidator(_no_line_breaks)
]
"""One line of text that may hold anything but line breaks."""
Identifier = Annotated[
    str, Field(min_length=1, max_length=63, pattern=r"^[^\n\r\x00]+$"), AfterValidator(_no_line_breaks)
]
"""A PostgreSQL identifier: up to 63 bytes, any characters but line breaks and NUL."""
Pattern = Annotated[
    str, Field(min_length=1, max_length=256, pattern=r"^[^\n\r\x00]+$"), AfterValidator(_no_line_breaks)
]
"""A pg_dump object pattern, such as `public.*` or `"Odd Name"`."""
AbsolutePath = Annotated[
    str, Field(min_length=2, max_length=1024, pattern=r"^/[^\n\r\x00]+$"), AfterValidator(_no_line_breaks)
]
Host = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9:]([A-Za-z0-9.:_-]*[A-Za-z0-9])?$")
]
"""A host name or an IP address; never a path or an option."""
Port = Annotated[int, Field(ge=1, le=65535)]
Message = Annotated[
    str, Field(max_length=1024), BeforeValidator(lambda v: v[:1024] if isinstance(v, str) else v)
]
"""Text for people, cut at 1024 characters."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Bytes = Annotated[int, Field(ge=0, le=2**62)]


class SecretKeyReference(Fields):
    """One key of a Secret in the same namespace."""

    name: ResourceName = Field(description="Name of a Secret in this namespace.")
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")] = Field(
        description="Key within the Secret's data."
    )
