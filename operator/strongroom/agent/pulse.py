"""That this agent lives: a file that is touched while its loops go round, for whoever supervises the process.

Not touched any more: the process is stopped, its event loop hangs, its state folder fails, or one of the loops is silent.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

BEAT_SECONDS = 2.0
LONGEST_TURN_SECONDS = 300.0
"""No turn of a loop takes longer: every call to the API ends in a minute, and each Job that is looked at is a beat."""
_FILE = "alive"

log = logging.getLogger(__name__)


def pulse_path(state_dir: Path) -> Path:
    """The file, in the agent's state folder."""
    return state_dir / _FILE


class Pulse:
    """What the loops tell, and the file that tells it on."""

    def __init__(
        self, state_dir: Path, loops: Iterable[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`loops` have to beat, each within LONGEST_TURN_SECONDS, the first time from now."""
        self._path = pulse_path(state_dir)
        self._clock = clock
        self._beats = dict.fromkeys(loops, clock())
        self._told: list[str] = []

    def of(self, loop: str) -> Callable[[], None]:
        """What that loop calls at every turn."""
        if loop not in self._beats:
            raise KeyError(loop)

        def beat() -> None:
            self._beats[loop] = self._clock()

        return beat

    async def run(self) -> None:
        """Touch the file for ever, but not while a loop is silent."""
        while True:
            await self.touch()
            await asyncio.sleep(BEAT_SECONDS)

    async def touch(self) -> None:
        """Touch the file if every loop goes round."""
        silent = [loop for loop, beat in self._beats.items() if self._clock() - beat > LONGEST_TURN_SECONDS]
        if silent and silent != self._told:
            log.error("hangs for %.0f s: %s", LONGEST_TURN_SECONDS, ", ".join(silent))
        self._told = silent
        if not silent:
            try:
                await asyncio.to_thread(self._path.touch, 0o600)
            except OSError as error:
                log.error("cannot say that this agent lives: %s", error)  # noqa: TRY400  the text says it all
