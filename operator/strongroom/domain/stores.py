"""How a store is, by what Jobs said of it, and when it must be looked at again."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom.api.backupstore import BackupStoreStatus
from strongroom.api.conditions import (
    PLACE_SHARED,
    READY,
    Condition,
    build_condition,
    find_condition,
    with_condition,
)
from strongroom.api.errors import Reason, excerpt
from strongroom.api.fields import DNS_LABEL
from strongroom.api.labels import CHECK_REQUESTED_ANNOTATION
from strongroom.api.resources import BackupStore
from strongroom.api.result import StoreReport
from strongroom.domain.history import find_deleted_copies, is_held
from strongroom.domain.policies import unsupported_field
from strongroom.domain.runrecords import RunRecord

RECHECK = timedelta(hours=1)
RECHECK_NOT_READY = timedelta(minutes=3)
LONGEST_NAME = 63


@dataclass(frozen=True)
class Contact:
    """What a Job on a host said of a store, for the store's specification of that generation."""

    host: str
    time: datetime
    generation: int
    report: StoreReport
    is_check: bool
    is_silence: bool = False
    """Nobody spoke: the operator's own conclusion, at its own time."""


@dataclass(frozen=True)
class AskedCheck:
    """A check that somebody asked for, and the hosts that have yet to look."""

    request: str
    hosts: tuple[str, ...]


def pending_check(store: BackupStore) -> str | None:
    """The request for a check that has not been answered, if any."""
    asked = store.meta.annotations.get(CHECK_REQUESTED_ANNOTATION, "")[:256]
    return asked if asked and asked != store.status.last_check_request else None


@dataclass(frozen=True)
class StoreFacts:
    """What a store's status is computed from. `contacts` has the newest of each host."""

    store: BackupStore
    contacts: Sequence[Contact]
    hosts: Sequence[str]
    """Hosts that policies use the store from: what others once said is of no concern any more."""
    live_hosts: Sequence[str]
    """Those of them that can be asked."""
    records: Sequence[RunRecord]
    now: datetime
    same_place: Sequence[str] = ()
    """Other stores of the namespace that are this very folder or bucket."""


def build_store_status(facts: StoreFacts) -> BackupStoreStatus:
    """The whole status; without news since a restart, what is known stays."""
    store, status = facts.store, facts.store.status
    update: dict[str, object] = {
        "observed_generation": store.meta.generation,
        "type": store.spec.type,
        "conditions": _conditions(facts),
    }
    current = _current(facts)
    if current:
        newest = max(current, key=lambda contact: contact.time)
        update |= _seen(newest, facts.records)
        reached = [contact.time for contact in current if contact.report.ready]
        if reached:
            update["last_contact_time"] = _latest(reached, status.last_contact_time)
    return status.model_copy(update=update)


def _latest(reached: Sequence[datetime], known: datetime | None) -> datetime:
    return max([*(moment.replace(microsecond=0) for moment in reached), *filter(None, [known])])


def next_check(facts: StoreFacts, last_attempt: datetime | None) -> datetime | None:
    """When the store must be checked next (it may be past); None when nobody could or need not check it."""
    if not facts.live_hosts or find_refusal(facts.store) is not None:
        return None
    if last_attempt is not None and last_attempt > facts.now:
        last_attempt = None  # the clock was ahead then: nothing waits for such a time
    current = _current(facts)
    unseen = set(facts.live_hosts) - {contact.host for contact in current}
    known_ready = _is_known_ready(facts.store)
    if unseen and not known_ready:
        return facts.now if last_attempt is None else last_attempt + timedelta(seconds=15)
    if current and not all(contact.report.ready for contact in current):
        return (last_attempt or facts.now - RECHECK_NOT_READY) + RECHECK_NOT_READY
    known = [*(contact.time for contact in current), facts.store.status.last_contact_time, last_attempt]
    past = [moment for moment in known if moment is not None and moment <= facts.now]
    return max(past, default=facts.now) + RECHECK


def next_host(facts: StoreFacts) -> str | None:
    """The host to check from next: one that has not spoken yet, one that complains, or the longest silent."""
    current = {contact.host: contact for contact in _current(facts)}

    def urgency(host: str) -> tuple[int, datetime, str]:
        contact = current.get(host)
        if contact is None:
            return 0, facts.now, host
        return (2 if contact.report.ready else 1), contact.time, host

    return min(facts.live_hosts, key=urgency, default=None)


def _current(facts: StoreFacts) -> list[Contact]:
    """Contacts that speak of the present specification, from hosts in use (or, while no policy uses it, from any)."""
    present = [contact for contact in facts.contacts if contact.generation == facts.store.meta.generation]
    return [contact for contact in present if contact.host in facts.hosts or not facts.hosts]


def find_refusal(store: BackupStore) -> tuple[Reason, str] | None:
    """Why nobody will ever look at this store, or None."""
    field = unsupported_field(store.spec)
    if field is not None:
        reason, message = Reason.Unsupported, f"{field} is set"
    elif not re.fullmatch(DNS_LABEL, store.meta.name) or len(store.meta.name) > LONGEST_NAME:
        reason = Reason.InvalidSpec
        message = f"metadata.name: {excerpt(store.meta.name, 64)!r} must be a DNS label of at most {LONGEST_NAME} characters"
    else:
        return None
    return reason, f"{message}. {reason.hint}"


def _is_known_ready(store: BackupStore) -> bool:
    ready = find_condition(store.status.conditions, READY)
    return ready is not None and ready.status == "True" and ready.observed_generation == store.meta.generation


def _conditions(facts: StoreFacts) -> list[Condition]:
    others = [
        known for known in facts.store.status.conditions if known.type != PLACE_SHARED or facts.same_place
    ]
    conditions = with_condition(others, _ready(facts))
    return with_condition(conditions, _place_shared(facts)) if facts.same_place else conditions


def _place_shared(facts: StoreFacts) -> Condition:
    names = ", ".join(facts.same_place)
    return build_condition(
        PLACE_SHARED,
        status=True,
        reason="SamePlace",
        message=(
            f"This store is the same place as BackupStore {names}: for 3-2-1 they count as one copy, and what dies with "
            "one is gone from all. Let the policies name one of them and delete the others (deleting a BackupStore "
            "deletes no backup), or give each a place of its own."
        ),
        now=facts.now,
        generation=facts.store.meta.generation,
    )


def _ready(facts: StoreFacts) -> Condition:
    store = facts.store
    refusal = find_refusal(store)
    complaint = next((contact for contact in _current(facts) if not contact.report.ready), None)
    known = find_condition(store.status.conditions, READY)
    if refusal is not None:
        status: bool | None = False
        reason, message = refusal[0].name, refusal[1]
    elif complaint is not None:
        status, reason = False, complaint.report.reason or Reason.StoreFailed.name
        message = f"Seen from {complaint.host}: {complaint.report.message or reason}"
    elif _current(facts):
        notes = {contact.report.message: None for contact in _current(facts) if contact.report.message}
        status, reason, message = True, "Reached", " ".join(["The store was listed and written.", *notes])
    elif known is not None and known.observed_generation == store.meta.generation:
        return known
    elif facts.live_hosts:
        status, reason, message = None, "NotChecked", "The store has not been looked at yet."
    else:
        status, reason = None, "NotUsed"
        message = "No policy with a live host uses this store: nobody has looked at it."
    return build_condition(
        READY, status=status, reason=reason, message=message, now=facts.now, generation=store.meta.generation
    )


def _seen(newest: Contact, records: Iterable[RunRecord]) -> dict[str, object]:
    report = newest.report
    seen: dict[str, object] = {}
    if report.capabilities:
        seen["capabilities"] = report.capabilities
    if report.free_bytes is not None:
        seen["free_bytes"] = report.free_bytes
    if newest.is_check:
        counted: dict[str, object] = {
            "artifact_count": report.recovery_points,
            "total_bytes": report.total_bytes,
        }
        return seen | {key: value for key, value in counted.items() if value is not None}
    # A run reports its own policy only; the runs themselves tell of all.
    known = list(records)
    gone = find_deleted_copies(known)
    held = [record for record in known if is_held(record, report.store, gone)]
    sizes = sum(record.size_bytes or 0 for record in held)
    return seen | {"artifact_count": len(held), "total_bytes": sizes}
