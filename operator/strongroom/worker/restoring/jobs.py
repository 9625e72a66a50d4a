"""How many tables and indexes are restored at a time."""

import os

_MOST = 4


def choose_jobs(wanted: int | None) -> int:
    """As wanted, else up to four, by this machine's cores."""
    return wanted or min(_MOST, len(os.sched_getaffinity(0)))
