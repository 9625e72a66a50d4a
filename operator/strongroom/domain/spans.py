"""Spans of time from a spec, bounded so that adding one to a date never leaves the calendar."""

from datetime import timedelta

from strongroom.api.fields import parse_duration

LONGEST = timedelta(days=3650)
"""No promise of a backup looks further than ten years."""


def parse_span(text: str, *, least: timedelta = timedelta(0), most: timedelta = LONGEST) -> timedelta:
    """The duration a field holds, moved into [least, most]."""
    return min(max(parse_duration(text), least), most)
