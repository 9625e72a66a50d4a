"""How far the clock may be ahead of the time that has really passed: what is destroyed at a moment must not be by a wrong clock."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

NOTABLE_JUMP = timedelta(seconds=30)
_MOST = 100


@dataclass
class ClockJumps:
    """By how much the clock was set, or moved while nobody of us looked. A machine that slept or was off counts as well: things are kept longer then."""

    known: list[tuple[datetime, timedelta]] = field(default_factory=list)
    """What the clock showed after each jump at the earliest, and how far it had jumped."""

    def note(self, shown: datetime, jump: timedelta) -> bool:
        """Remember it if it is notable, and say whether it is."""
        if abs(jump) <= NOTABLE_JUMP:
            return False
        # Statuses hold whole seconds.
        self.known = [*self.known[-_MOST:], (shown.replace(microsecond=0), jump)]
        return True

    def ahead_since(self, moment: datetime) -> timedelta:
        """By how much more the clock has moved since it showed that moment than time has passed, as far as is known."""
        later = [jump for shown, jump in self.known if shown > moment]
        return max(timedelta(0), sum(later, timedelta(0)))
