"""How fast may one client ask? A steady rate with room for bursts, and a pause when the server asks for one."""

import asyncio
import time
from collections.abc import Callable

LONGEST_HOLD_SECONDS = 60.0


class Pace:
    """Requests take turns (the generic cell rate algorithm): at most `rate` a second, after a burst."""

    def __init__(
        self,
        rate: float,
        burst: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`rate` in requests a second; `burst` that may be made at once after a rest."""
        self._interval = 1 / rate
        self._credit = burst / rate
        self._monotonic = monotonic
        self._next = float("-inf")
        self._held_until = float("-inf")

    async def turn(self) -> None:
        """Wait until one more request may be made."""
        while (pause := self._held_until - self._monotonic()) > 0:
            await asyncio.sleep(pause)
        if (pause := self.reserve()) > 0:
            await asyncio.sleep(pause)

    def reserve(self) -> float:
        """Take the next turn; returns the seconds until it comes."""
        now = self._monotonic()
        self._next = max(self._next, now - self._credit) + self._interval
        return max(0.0, self._next - now)

    def hold(self, seconds: float) -> None:
        """Begin nothing for so long: the server has asked for it (Retry-After)."""
        until = self._monotonic() + min(seconds, LONGEST_HOLD_SECONDS)
        self._held_until = max(self._held_until, until)
