"""What follows from a store's catalogue for the runs: which are rebuilt, and which copies have come back or gone.

Asked again after it was carried out, nothing follows. Nothing that follows ever deletes data or starts a backup.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from strongroom.api.errors import Reason
from strongroom.api.result import CataloguePoint
from strongroom.domain.copies import PRUNED
from strongroom.domain.foundruns import MOST_COPIES
from strongroom.domain.names import found_run_name
from strongroom.domain.runrecords import RunRecord

MOST_EXPECTED = 100
_LONGEST_LAG = timedelta(days=1)
"""No server's listing is further behind."""
_NEVER = datetime.min.replace(tzinfo=UTC)
_OWN_REASONS = frozenset({Reason.CopyMissing.name, PRUNED})
"""Of copies that a listing has found missing: the next may find them again. Other failures are cured by reading alone."""


@dataclass(frozen=True)
class Trust:
    """Whose manifests count. `demanding` are policies that ask for signatures; `has_keys`: some key of the namespace is known."""

    demanding: frozenset[str] = frozenset()
    has_keys: bool = False

    def accepts(self, point: CataloguePoint) -> bool:
        """Whether its signature is good enough. Without any key a signed manifest cannot be judged and counts as an unsigned one."""
        if point.signature == "Invalid":
            return False
        if point.policy in self.demanding:
            return point.signature == "Valid"
        return point.signature != "Untrusted" or not self.has_keys


@dataclass(frozen=True)
class Listing:
    """One walk over a store, begun at that moment by the clock of the control plane."""

    store: str
    began: datetime
    trust: Trust = field(default_factory=Trust)


class Known:
    """The runs of a namespace, to be found by identity and by name. `unreadable` are uids of runs that do not parse."""

    def __init__(self, records: Iterable[RunRecord], unreadable: Iterable[str] = ()) -> None:
        """Of two records with one identity (someone copied the object) the one that was made here counts."""
        self.records = list(records)
        self.by_identity: dict[str, RunRecord] = {}
        for record in sorted(self.records, key=lambda each: each.found_in is None):
            self.by_identity[record.identity] = record
        self.names = {record.name for record in self.records}
        self.unreadable = frozenset(unreadable)
        self._deleted: dict[tuple[str, str], datetime] = {}
        for record in self.records:
            moment = record.completed or record.moment
            for key in ((done.store, name) for done in record.deletions for name in done.runs):
                self._deleted[key] = max(moment, self._deleted.get(key, moment))

    def deleted_at(self, store: str, origin_run: str) -> datetime:
        """When retention last deleted a run of that name from the store; the beginning of time if it did not."""
        return self._deleted.get((store, origin_run), _NEVER)


@dataclass(frozen=True)
class Rebuild:
    """Make a run of that name and give it its status."""

    point: CataloguePoint
    name: str


@dataclass(frozen=True)
class Complete:
    """Give a run that was rebuilt its status: the write was lost."""

    record: RunRecord
    point: CataloguePoint


@dataclass(frozen=True)
class Found:
    """The copy of a run is in the store."""

    record: RunRecord
    point: CataloguePoint


@dataclass(frozen=True)
class Lost:
    """The copy of a run is not in the store, or not whole."""

    record: RunRecord
    reason: str
    message: str


@dataclass(frozen=True)
class Drop:
    """Delete the object of a run that was being rebuilt and whose manifest has gone: there is nothing that it tells of."""

    record: RunRecord


Action = Rebuild | Complete | Found | Lost | Drop
Verdict = Literal["Found", "Damaged", "Refused"]


def judge_point(point: CataloguePoint, trust: Trust) -> Verdict:
    """As what a point is counted: one that cannot be trusted is not looked at further."""
    if not trust.accepts(point):
        return "Refused"
    return "Found" if is_whole(point) else "Damaged"


def is_whole(point: CataloguePoint) -> bool:
    """Whether every file is there, and was proved when it was made."""
    proofs = [artifact.verification for artifact in point.artifacts]
    return point.complete and bool(proofs) and all(proof is not None and proof.read_back for proof in proofs)


def decide_page(points: Iterable[CataloguePoint], known: Known, listing: Listing) -> Iterator[Action]:
    """What follows from the points of one page, for runs that are known and for those that are not."""
    rebuilt: set[str] = set()
    taken: set[str] = set()
    for point in points:
        record = known.by_identity.get(point.run_uid)
        if record is not None:
            action = _attend(point, record, known, listing)
            if action is not None:
                yield action
        elif point.run_uid not in rebuilt | known.unreadable and _is_news(point, known, listing):
            name = _free_name(point, known.names | taken)
            rebuilt.add(point.run_uid)
            taken.add(name)
            yield Rebuild(point, name)


def find_expected(known: Known, listing: Listing) -> list[str]:
    """Key prefixes of the newest copies that the walk must meet, although the store's listing may not show them yet."""
    recent = (record for record in known.records if _may_be_missed(record, listing))
    dated = sorted(
        ((_copied_at(record, listing.store), record.recovery_point or "") for record in recent), reverse=True
    )
    return [prefix for moment, prefix in dated if prefix and moment > listing.began - _LONGEST_LAG][
        :MOST_EXPECTED
    ]


def decide_absences(seen: Mapping[str, frozenset[str]], known: Known, listing: Listing) -> Iterator[Action]:
    """What follows from a whole walk for the runs that it has not met. `seen`: key prefixes by the uid of the run."""
    for record in known.records:
        if record.is_deleting or _was_seen(record, seen):
            continue
        if not record.is_terminal:
            if record.found_in == listing.store:
                yield Drop(record)
        elif _may_be_missed(record, listing):
            yield _missing(record, known, listing)


def _attend(point: CataloguePoint, record: RunRecord, known: Known, listing: Listing) -> Action | None:
    """A run that is known, and what the store shows of it."""
    if record.is_deleting or record.recovery_point not in (None, point.recovery_point):
        return None
    if not record.is_terminal:  # one that is under way tells of itself when it ends
        usable = record.found_in is not None and _fault(point, record, listing.trust) is None
        return Complete(record, point) if usable else None
    fault = _fault(point, record, listing.trust)
    copy = next((copy for copy in record.copies if copy.store == listing.store), None)
    if fault is not None:
        # Files that were listed before the manifest may have come after that.
        lost = copy is not None and copy.state == "Succeeded" and _may_be_missed(record, listing)
        return Lost(record, Reason.CopyMissing.name, fault) if lost else None
    return Found(record, point) if _is_new(record, known, listing) else None


def _is_new(record: RunRecord, known: Known, listing: Listing) -> bool:
    """Whether a whole copy that the store shows is not known, or no longer."""
    if known.deleted_at(listing.store, record.origin_run) >= listing.began:
        return False
    if record.pruned_at is not None:
        return record.pruned_at < listing.began
    copy = next((copy for copy in record.copies if copy.store == listing.store), None)
    if copy is None:
        return len(record.copies) < MOST_COPIES
    return copy.state != "Succeeded" and copy.reason in _OWN_REASONS


def _is_news(point: CataloguePoint, known: Known, listing: Listing) -> bool:
    """Whether a run that is not known must be rebuilt: not what retention deleted after the listing had begun."""
    return (
        judge_point(point, listing.trust) == "Found"
        and known.deleted_at(listing.store, point.run) < listing.began
    )


def _fault(point: CataloguePoint, record: RunRecord, trust: Trust) -> str | None:
    """What is wrong with a run's copy, or None. A manifest that the run itself told of needs no signature."""
    if record.manifest_sha256 not in (None, point.manifest_sha256):
        return (
            f"the manifest in the store is not that of the run: its SHA-256 is {point.manifest_sha256[:16]}…"
        )
    is_vouched = record.found_in is None and record.manifest_sha256 == point.manifest_sha256
    if not is_vouched and not trust.accepts(point):
        return f"the signature of its manifest in the store is {point.signature}"
    return None if is_whole(point) else "files of it are missing in the store, or are of another length"


def _may_be_missed(record: RunRecord, listing: Listing) -> bool:
    """Whether the walk must have met a good copy, if it is there: not one that was caught up meanwhile."""
    copy = next((copy for copy in record.copies if copy.store == listing.store), None)
    return (
        copy is not None
        and copy.state == "Succeeded"
        and (copy.verified is None or copy.verified < listing.began)
        and record.pruned_at is None
        and record.completed is not None
        and record.completed < listing.began
    )


def _copied_at(record: RunRecord, store: str) -> datetime:
    """When its copy came into the store: it may have been caught up long after the run."""
    verified = (copy.verified for copy in record.copies if copy.store == store)
    return max(filter(None, [record.completed, *verified]), default=_NEVER)


def _missing(record: RunRecord, known: Known, listing: Listing) -> Lost:
    deleted = known.deleted_at(listing.store, record.origin_run)
    if deleted >= record.moment:
        return Lost(record, PRUNED, "Retention deleted it from this store.")
    return Lost(record, Reason.CopyMissing.name, "the store holds no manifest of it that can be read")


def _was_seen(record: RunRecord, seen: Mapping[str, frozenset[str]]) -> bool:
    prefixes = seen.get(record.identity, frozenset())
    return record.recovery_point in prefixes if record.recovery_point is not None else bool(prefixes)


def _free_name(point: CataloguePoint, taken: set[str]) -> str:
    return point.run if point.run not in taken else found_run_name(point.run, point.run_uid)
