"""What a restore has come to, gathered as it goes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoring import CheckResult, Replaced, RestoreOutcome, RestoreStep

_LISTED_CHECKS = 200
_LISTED_DIFFERENCES = 100


@dataclass
class Gathered:
    """Checks, what was replaced, and whether the old is back."""

    failed: list[CheckResult] = field(default_factory=list)
    passed: list[CheckResult] = field(default_factory=list)
    compared: int = 0
    replaced: list[Replaced] = field(default_factory=list)
    rolled_back: bool = False
    is_healthy: bool = False
    differences: list[str] = field(default_factory=list)

    def compare(self, checks: Iterable[CheckResult], what: str) -> None:
        """Keep what was compared; ComparisonFailed with the first of what differs."""
        first: CheckResult | None = None
        for check in checks:
            self.add(check)
            first = first or (None if check.passed else check)
        if first is not None:
            raise StrongroomError(
                Reason.ComparisonFailed,
                f"{what}: {first.name}: expected {first.expected}, found {first.found}",
            )

    def add(self, check: CheckResult) -> None:
        """One more; all that fail are kept, and the first of the others."""
        self.compared += 1
        kept = self.passed if check.passed else self.failed
        if len(kept) < _LISTED_CHECKS:
            kept.append(check)

    def add_first(self, check: CheckResult) -> None:
        """One that is told whatever else there is."""
        self.compared += 1
        (self.passed if check.passed else self.failed).insert(0, check)

    def outcome(self, steps: Sequence[RestoreStep], store: str | None, started: datetime) -> RestoreOutcome:
        """For the result."""
        seconds = (datetime.now(UTC) - started).total_seconds() if self.is_healthy else None
        return RestoreOutcome(
            steps=list(steps),
            store=store,
            checks=[*self.failed, *self.passed][:_LISTED_CHECKS],
            compared_count=self.compared,
            replaced=[] if self.rolled_back else self.replaced,
            rolled_back=self.rolled_back,
            restore_seconds=seconds,
            differences=self.differences[:_LISTED_DIFFERENCES],
        )
