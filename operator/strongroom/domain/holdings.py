"""What each store of a policy holds and lacks, by the policy's runs: the newest verified backup in it, and what is to be copied."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom.api.backuppolicy import StoreCopies
from strongroom.api.backupstore import BackupStoreSpec
from strongroom.api.errors import StrongroomError
from strongroom.api.fields import format_duration, format_time
from strongroom.api.resources import BackupPolicy
from strongroom.domain.adoption import is_own
from strongroom.domain.copies import PRUNED, StoreCopy
from strongroom.domain.freshness import CLOCK_TOLERANCE
from strongroom.domain.history import NEVER, find_deleted_copies, is_held
from strongroom.domain.retention import RecoveryPoint, decide_retention
from strongroom.domain.runrecords import Lack, RunRecord, counts
from strongroom.domain.schedule import find_zone
from strongroom.domain.verdicts import describe_lack


@dataclass(frozen=True)
class Wanted:
    """A recovery point that some store holds, and the stores of its policy that lack it and are to have it."""

    record: RunRecord
    lacks: tuple[Lack, ...]


@dataclass(frozen=True)
class Holding:
    """One store. `newest` is the newest verified backup that it holds, `lacking` are runs that it is to have, the newest first."""

    store: str
    points: int
    size_bytes: int
    newest: RunRecord | None
    lacking: tuple[RunRecord, ...]

    def describe(self) -> StoreCopies:
        """As the policy's status holds it."""
        return StoreCopies(
            store=self.store,
            points=self.points,
            newest_time=self.newest.moment if self.newest is not None else None,
            lacking=len(self.lacking),
            message=_lack_of(self.lacking[0], self.store) if self.lacking else None,
        )


def find_holdings(policy: BackupPolicy, records: Sequence[RunRecord], now: datetime) -> list[Holding]:
    """Each of the policy's stores, in its order."""
    gone = find_deleted_copies(records)
    wanted = find_wanted(policy, records, now)
    return [_find_holding(policy, store, records, gone, wanted) for store in policy.spec.stores]


def _find_holding(
    policy: BackupPolicy,
    store: str,
    records: Sequence[RunRecord],
    gone: Mapping[tuple[str, str], datetime],
    wanted: Sequence[Wanted],
) -> Holding:
    held = [record for record in records if is_held(record, store, gone)]
    verified = (record for record in held if is_verified(record, policy))
    return Holding(
        store=store,
        points=len(held),
        size_bytes=sum(record.size_bytes or 0 for record in held),
        newest=max(verified, key=lambda record: (record.moment, record.name), default=None),
        lacking=tuple(each.record for each in wanted if any(lack.store == store for lack in each.lacks)),
    )


def is_verified(record: RunRecord, policy: BackupPolicy) -> bool:
    """Whether each good copy of it is a verified backup of the policy, be there enough of them or not."""
    return counts(record, policy.spec) or (record.reason != "Safety" and _is_whole(record))


def _is_whole(record: RunRecord) -> bool:
    """As its manifest tells of it: nothing changed while it was read, however many stores hold it."""
    return record.phase == "Succeeded" or (record.phase == "Partial" and record.contents == "Whole")


def find_wanted(policy: BackupPolicy, records: Sequence[RunRecord], now: datetime) -> list[Wanted]:
    """What is to be copied: what its run lacks in stores that are still the policy's and retention keeps; the newest first."""
    lacking = [record for record in records if _may_be_copied(record, policy)]
    if not lacking:
        return []
    deleted: dict[str, datetime] = {}
    for (_, name), when in find_deleted_copies(records).items():
        deleted[name] = max(when, deleted.get(name, when))
    kept = _kept_by_retention(policy, records, now)
    wanted = [
        Wanted(record, _lacks_of(record, policy))
        for record in lacking
        if deleted.get(record.origin_run, NEVER) < record.moment and record.uid in kept
    ]
    return sorted(wanted, key=lambda each: (each.record.moment, each.record.name), reverse=True)


def _may_be_copied(record: RunRecord, policy: BackupPolicy) -> bool:
    return (
        record.phase in ("Succeeded", "Partial")
        and record.holds_artifacts
        and not record.is_deleting
        and is_own(policy, record)
        and bool(_lacks_of(record, policy))
    )


def _lacks_of(record: RunRecord, policy: BackupPolicy) -> tuple[Lack, ...]:
    """What it lacks in stores that are still the policy's; not what retention has deleted from one of them."""
    return tuple(lack for lack in record.lacks if lack.store in policy.spec.stores and lack.reason != PRUNED)


def _kept_by_retention(policy: BackupPolicy, records: Sequence[RunRecord], now: datetime) -> set[str]:
    """The uids of runs that the next deletion would leave, were all of them in one store."""
    try:
        zone = find_zone(policy.spec.time_zone)
    except StrongroomError:
        return set()  # the policy says so itself
    points = [
        RecoveryPoint(
            key=record.uid,
            run=record.name,
            time=record.moment,
            verified=_is_whole(record),
            partial=not _is_whole(record),
            safety=record.reason == "Safety",
        )
        for record in records
        if record.phase in ("Succeeded", "Partial") and record.holds_artifacts and is_own(policy, record)
    ]
    held = {record.name for record in records if record.hold}
    plan = decide_retention(points, policy.spec.retention, zone, held, now)
    return {key for key, reasons in plan.keep.items() if reasons}


def judge_holdings(
    holdings: Iterable[Holding],
    stores: Mapping[str, BackupStoreSpec],
    records: Sequence[RunRecord],
    allowed: timedelta | None,
    now: datetime,
) -> list[StoreCopy]:
    """The stores as 3-2-1 sees them: each with the newest verified backup that it holds, if that is young enough.

    Where no age is asked for, it must be the newest that there is.
    """
    found = list(holdings)
    newest = max((each.newest.moment for each in found if each.newest is not None), default=None)
    return [
        StoreCopy(each.store, stores.get(each.store), _trouble(each, records, newest, allowed, now))
        for each in found
    ]


def fresh_until(holding: Holding, allowed: timedelta | None) -> datetime | None:
    """When a store's newest verified backup becomes too old, if ever."""
    if holding.newest is None or allowed is None:
        return None
    return holding.newest.moment + allowed


def _trouble(
    holding: Holding,
    records: Sequence[RunRecord],
    newest: datetime | None,
    allowed: timedelta | None,
    now: datetime,
) -> str:
    own, store = holding.newest, holding.store
    if own is None:
        return _last_lack(records, store) or f"{store} (no run has written to it yet)"
    until = fresh_until(holding, allowed)
    if own.moment > now + CLOCK_TOLERANCE:
        old = f"shows {format_time(own.moment)}, which lies ahead: a clock was or is wrong"
    elif until is not None and now > until and allowed is not None:
        old = f"became older than {format_duration(allowed)} at {format_time(until)}"
    elif until is None and newest is not None and own.moment < newest:
        old = f"is not the newest, it shows {format_time(own.moment)}"
    else:
        return ""
    why = _last_lack([record for record in records if record.moment > own.moment], store)
    return f"{store} (its newest verified backup, {own.name}, {old})" + (f"; {why}" if why else "")


def _last_lack(records: Iterable[RunRecord], store: str) -> str | None:
    """Why the newest run that was to write to the store did not."""
    failing = (record for record in records if any(lack.store == store for lack in record.lacks))
    newest = max(failing, key=lambda record: (record.moment, record.name), default=None)
    return None if newest is None else f"{_lack_of(newest, store)}, in run {newest.name}"


def _lack_of(record: RunRecord, store: str) -> str:
    lack = next(lack for lack in record.lacks if lack.store == store)
    return describe_lack(store, lack.reason, lack.message)
