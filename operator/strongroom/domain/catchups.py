"""Which copies are caught up, and when? What runs lack is copied from a good copy, the newest run first, with growing pauses.

All that is decided follows from the resources: how often it was tried, and when last, stands in the run's status.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom.api.conditions import READY, find_condition
from strongroom.api.resources import BackupPolicy, BackupRun, BackupStore
from strongroom.domain.copies import PRUNED
from strongroom.domain.freshness import CLOCK_TOLERANCE
from strongroom.domain.holdings import Wanted
from strongroom.domain.jobstates import JobState
from strongroom.domain.sites import Cluster, Site

MOST_AT_ONCE = 2
"""Jobs that copy to one store at a time, of all policies together."""
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(days=1)
READY_AGAIN_PAUSE = timedelta(minutes=1)
"""For each attempt but the first, where a store was found to work again since the last one."""


YIELD_AFTER = timedelta(seconds=15)
"""A backup or a restore that its host has not taken for so long waits for a place there: a Job that copies makes room."""


@dataclass(frozen=True)
class CatchUpDue:
    """A run whose copies are to be caught up, and from when on that may be tried."""

    wanted: Wanted
    moment: datetime

    @property
    def targets(self) -> list[str]:
        """The stores that lack it."""
        return [lack.store for lack in self.wanted.lacks]


def find_due_times(
    wanted: Iterable[Wanted], stores: Mapping[str, BackupStore], now: datetime
) -> list[CatchUpDue]:
    """Each of these, in their order, with its moment. Those whose every target, or every good copy's store, has gone are left out."""
    return [
        CatchUpDue(each, _due_at(each, stores, now))
        for each in wanted
        if any(lack.store in stores for lack in each.lacks)
        and any(store in stores for store in each.record.good_stores)
    ]


def _due_at(wanted: Wanted, stores: Mapping[str, BackupStore], now: datetime) -> datetime:
    record = wanted.record
    since = record.attempted or record.completed or record.moment
    if since > now + CLOCK_TOLERANCE:
        return now  # a clock was ahead: nothing waits for such a time
    ready = (_ready_since(stores.get(lack.store)) for lack in wanted.lacks)
    is_back = any(moment is not None and moment > since for moment in ready)
    is_behind = any(lack.state == "Behind" for lack in wanted.lacks)
    return since + pause_after(record.attempts, is_back=is_back, is_behind=is_behind)


def pause_after(attempts: int, *, is_back: bool = False, is_behind: bool = False) -> timedelta:
    """How long to wait after so many attempts: doubling from a minute to a day.

    None for a store that works and was merely too slow. One that was found to work again since is not kept waiting; its pause
    still grows, because a store that seems well whenever it is asked must not be copied to all the time.
    """
    if attempts == 0 and is_behind:
        return timedelta(0)
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(attempts, 20)))
    return min(pause, READY_AGAIN_PAUSE * max(0, attempts - 1)) if is_back else pause


def _ready_since(store: BackupStore | None) -> datetime | None:
    ready = None if store is None else find_condition(store.status.conditions, READY)
    return ready.last_transition_time if ready is not None and ready.status == "True" else None


def has_place(site: Site, jobs: Iterable[JobState]) -> bool:
    """Whether the host may copy one more: nothing waits there, and one of its places, if it has several, stays free for the rest.

    A cluster has room of its own judgement.
    """
    if isinstance(site, Cluster):
        return True
    own = [job for job in jobs if job.host == site.key and job.ending is None]
    copying = sum(job.catch_up is not None for job in own)
    return not any(map(_waits, own)) and copying < max(1, site.spec.max_concurrent_jobs - 1)


def yields_at(job: JobState, others: Iterable[JobState]) -> datetime | None:
    """When a Job that copies must make room on its host for one that waits there (it may be past); None if it need not."""
    waiting = (other.created for other in others if other.host == job.host and _waits(other))
    first = min(waiting, default=None)
    return None if first is None or job.started is None else first + YIELD_AFTER


def _waits(job: JobState) -> bool:
    """Whether a backup or a restore has not been taken by its host."""
    is_urgent = job.catch_up is None and job.store is None
    return is_urgent and job.started is None and job.ending is None


def choose_stores(
    run: BackupRun, policy: BackupPolicy, stores: Mapping[str, BackupStore]
) -> tuple[list[BackupStore], list[str]]:
    """The stores of the order, those that hold a copy first, and the names of those that lack it. Either may be empty.

    A copy may come from a store that is the policy's no more; it goes only to those that are.
    """
    good = [copy.store for copy in run.status.copies if copy.state == "Succeeded" and copy.store in stores]
    lacking = [
        copy.store
        for copy in run.status.copies
        if copy.state != "Succeeded"
        and copy.reason != PRUNED
        and copy.store in stores
        and copy.store in policy.spec.stores
    ]
    return [stores[name] for name in (*good, *lacking)], lacking if good else []
