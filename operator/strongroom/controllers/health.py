"""Does this process live, and is it of use? What the probes of a cluster ask.

Alive: the event loop ticks; only a restart helps one that does not. Ready: the API answers, and either everything has been listed
and is followed, or this is a replica that waits for the Lease.
"""

from enum import Enum

from strongroom.controllers.measures import Measures
from strongroom.controllers.obstacles import Obstacles
from strongroom.controllers.settings import OperatorSettings

TICKS_MISSED = 3
"""So many ticks without a sign of life make the operator dead."""


class Phase(Enum):
    """What the process is at."""

    Starting = "starting"
    Standby = "standby: another replica holds the Lease"
    Listing = "listing everything"
    Active = "active"
    Stopping = "stopping"


class Health:
    """Answers of /healthz and /readyz: whether, and in words."""

    def __init__(self, settings: OperatorSettings, measures: Measures, obstacles: Obstacles) -> None:
        """All are read at each question."""
        self._longest_silence_seconds = TICKS_MISSED * settings.tick_seconds
        # Asked for the Lease several times in its life: whoever hears nothing for so long reaches nobody.
        self._longest_unanswered_seconds = float(settings.lease_seconds)
        self._measures = measures
        self._obstacles = obstacles
        self.phase = Phase.Starting

    def look_alive(self) -> tuple[bool, str]:
        """Whether the loop ticks."""
        silence = self._measures.silence_seconds()
        is_alive = silence <= self._longest_silence_seconds
        return is_alive, f"{'ok' if is_alive else 'dead'}: last tick {silence:.1f} s ago"

    def look_ready(self) -> tuple[bool, str]:
        """Whether this replica acts, or could at once."""
        is_alive, words = self.look_alive()
        if not is_alive:
            return False, words
        unanswered = self._measures.unanswered_seconds()
        blocking = [
            f"{about}: {obstacle.refusal.message}"
            for about, obstacle in sorted(self._obstacles.standing().items())
            if obstacle.blocks
        ]
        if unanswered > self._longest_unanswered_seconds:
            blocking.insert(0, f"the API server has not answered for {unanswered:.0f} s")
        is_ready = self.phase in {Phase.Standby, Phase.Active} and not blocking
        lines = [f"{'ok' if is_ready else 'not ready'}: {self.phase.value}", *blocking]
        return is_ready, "\n".join(lines)
