"""Sizes, spans and moments as people read them."""

from datetime import datetime, timedelta

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def human_bytes(count: int | None) -> str:
    """`1.5 GiB`; an unknown size is a dash."""
    if count is None:
        return "-"
    size, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            break
        size /= 1024
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"


def human_span(span: timedelta) -> str:
    """The two largest units: `3d4h`, `12m5s`."""
    seconds = int(abs(span.total_seconds()))
    parts = []
    for length, letter in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count}{letter}")
    return "".join(parts[:2]) or "0s"


def ago(moment: datetime | None, now: datetime) -> str:
    """`5m3s ago`, `in 2h10m`, or `never`."""
    if moment is None:
        return "never"
    return f"{human_span(now - moment)} ago" if moment <= now else f"in {human_span(moment - now)}"
