"""The wall clock, to the second: what the API's times can hold."""

from datetime import UTC, datetime


def now() -> datetime:
    """This moment in UTC."""
    return datetime.now(UTC).replace(microsecond=0)
