"""How many runs ended how, for a counter that never falls: what was there at the start, and all that ended since."""

from collections import Counter

from strongroom.domain.runrecords import RunRecord

Outcome = tuple[str, str, str]
"""Namespace, policy and phase."""


class Tally:
    """Counts each terminal run once; a run that history deletes stays counted until this process ends."""

    def __init__(self) -> None:
        """Nothing has ended."""
        self._counted: set[str] = set()
        self._outcomes: Counter[Outcome] = Counter()

    def count(self, record: RunRecord) -> None:
        """A run is terminal. One that was found in a store ended long ago, and perhaps elsewhere."""
        if record.found_in is None and record.uid not in self._counted:
            self._counted.add(record.uid)
            self._outcomes[record.namespace, record.policy, record.phase] += 1

    def forget(self, record: RunRecord) -> None:
        """A run has gone; its outcome has happened all the same."""
        self._counted.discard(record.uid)

    def outcomes(self) -> dict[Outcome, int]:
        """Runs by namespace, policy and phase."""
        return dict(self._outcomes)
