"""Is it the same time here as at the API server? Two clocks that differ: one of them is wrong, and nobody knows which.

Then nothing is deleted, and no slot is decided that lies ahead by either.
"""

from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median

from strongroom.domain.freshness import CLOCK_TOLERANCE
from strongroom.kube.refusals import Refusal

ANSWERS_LOOKED_AT = 5
"""The median of so many: one answer that a proxy had kept says nothing."""


class ServerClock:
    """What the dates of the server's newest answers say; whole seconds, and older by what the answer took."""

    def __init__(self) -> None:
        """No answer has come."""
        self._offsets: deque[float] = deque(maxlen=ANSWERS_LOOKED_AT)

    def hear(self, date: str, now: datetime) -> None:
        """An answer of that date (RFC 9110) has come now. One that cannot be read says nothing."""
        try:
            told = parsedate_to_datetime(date)
        except ValueError:
            return
        moment = told if told.tzinfo is not None else told.replace(tzinfo=UTC)
        self._offsets.append((moment - now).total_seconds())

    @property
    def offset(self) -> timedelta:
        """By how much the server is ahead of this machine; negative when it is behind."""
        return timedelta(seconds=median(self._offsets)) if self._offsets else timedelta(0)

    @property
    def trouble(self) -> Refusal | None:
        """What is wrong, if something is."""
        offset = self.offset
        if abs(offset) <= CLOCK_TOLERANCE:
            return None
        way = "behind" if offset > timedelta(0) else "ahead of"
        message = (
            f"The operator's clock is {abs(offset)} {way} the API server's: one of them is wrong. Nothing is deleted, and no slot is "
            "decided that lies ahead by either, until they agree. Set both (chronyc tracking, systemctl status systemd-timesyncd)."
        )
        return Refusal("ClockSuspect", message)

    def earliest(self, now: datetime) -> datetime:
        """Now by the slower of both clocks, if they disagree."""
        return now if self.trouble is None else now + min(self.offset, timedelta(0))
