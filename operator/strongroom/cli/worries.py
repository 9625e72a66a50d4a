"""What stands against being at ease: worries (not safe), and notes (worth a look although all is safe now)."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from strongroom.api.conditions import (
    COPIES_SATISFIED,
    DATABASES_COVERED,
    DRILLED,
    ENGINE_READY,
    FRESH,
    PLACE_SHARED,
    READY,
    UNTRUSTED_POINTS,
    Condition,
    find_condition,
)
from strongroom.api.fields import format_time
from strongroom.api.resources import BackupPolicy, BackupStore, DockerHost, ObjectMeta
from strongroom.domain.freshness import ON_DEMAND
from strongroom.domain.places import Place, place_of

_NO_ALARM = frozenset({"CouldNotRun", "TooSlow"})
"""Why a policy may not count as drilled although nothing is known against its backups."""
_OPERATOR_DELAY = timedelta(minutes=5)
"""An operator that acts is never so late; one that is dead leaves every condition as it was."""


def find_policy_worries(policy: BackupPolicy, now: datetime) -> list[str]:
    """All that stands against a policy: its own word, and whether anybody has kept that word true since."""
    name, status = f"BackupPolicy {called(policy.meta)}", policy.status
    expected = (READY,) if is_on_demand(policy) else (READY, FRESH)
    worries = find_condition_worries(name, status.conditions, expected)
    drilled = find_condition(status.conditions, DRILLED)
    if drilled is not None and drilled.status == "False" and drilled.reason not in _NO_ALARM:
        worries.append(f"{name}: {drilled.message}")
    if policy.spec.suspend:
        worries.append(f"{name} is suspended: set spec.suspend to false to resume.")
    if worries:
        return worries
    if status.observed_generation != policy.meta.generation:
        return [f"{name} was changed and not looked at since; is the operator running?"]
    if status.fresh_until is not None and status.fresh_until < now - _OPERATOR_DELAY:
        return [f"{name} was fresh until {format_time(status.fresh_until)}; is the operator running?"]
    if status.next_schedule_time is not None and status.next_schedule_time < now - _OPERATOR_DELAY:
        due = format_time(status.next_schedule_time)
        return [f"{name} was due at {due} and no run was made; is the operator running?"]
    return []


def find_policy_notes(policy: BackupPolicy) -> list[str]:
    """A backup on demand that nobody has asked for yet."""
    if not is_on_demand(policy) or policy.status.last_success is not None:
        return []
    name = f"BackupPolicy {called(policy.meta)}"
    return [f"{name} runs on demand only and was never asked: `strongroom backup {policy.meta.name}`."]


def find_drill_notes(policy: BackupPolicy) -> list[str]:
    """Drills that could not run, or were too slow: no alarm, for the backup may be good."""
    drilled = find_condition(policy.status.conditions, DRILLED)
    if drilled is None or drilled.status != "False" or drilled.reason not in _NO_ALARM:
        return []
    return [f"BackupPolicy {called(policy.meta)}: {drilled.message}"]


def find_copy_notes(policy: BackupPolicy) -> list[str]:
    """Copies that lack, store by store, and what is missing for 3-2-1 once there is a backup at all."""
    name, status = f"BackupPolicy {called(policy.meta)}", policy.status
    notes = [
        f"{name}: {held.lacking} recovery point{'s' * (held.lacking != 1)} to be copied yet to {held.message or held.store}"
        for held in status.copies
        if held.lacking
    ]
    copies = find_condition(status.conditions, COPIES_SATISFIED)
    if copies is not None and copies.status == "False" and status.last_success is not None:
        notes.append(f"{name}: {copies.message}")
    return notes


def find_untrusted_notes(policy: BackupPolicy) -> list[str]:
    """What lies in its stores and was changed, moved or put there by others, or is not signed where it must be."""
    found = find_condition(policy.status.conditions, UNTRUSTED_POINTS)
    return [] if found is None else [f"BackupPolicy {called(policy.meta)}: {found.message}"]


def find_store_notes(stores: Iterable[BackupStore]) -> list[str]:
    """Stores that are the same place as others, each place once."""
    told: dict[tuple[str, Place], list[str]] = {}
    for store in stores:
        found = find_condition(store.status.conditions, PLACE_SHARED)
        before = told.setdefault((store.meta.namespace, place_of(store.spec)), [])
        if found is not None and not any(_names(message, store.meta.name) for message in before):
            before.append(f"BackupStore {called(store.meta)}: {found.message}")
    return [message for messages in told.values() for message in messages]


def _names(message: str, name: str) -> bool:
    return name in re.split(r"[ ,:]+", message)


def find_last_failure(policy: BackupPolicy) -> str | None:
    """Why the newest run is no backup; None when it is one, or when the policy has a greater fault than that."""
    status = policy.status
    ready = find_condition(status.conditions, READY)
    if status.last_run_phase in (None, "Succeeded") or ready is None or ready.status != "True":
        return None
    if status.last_success is not None and status.last_success.run == status.last_run:
        return None  # partial for lack of copies that it has by now
    return f"BackupPolicy {called(policy.meta)}: {status.message or f'run {status.last_run} ended {status.last_run_phase}'}"


def find_host_notes(host: DockerHost) -> list[str]:
    """What is worth a look on a host: an Engine that does not answer, and databases that no policy dumps.

    Neither makes a policy unsafe by itself: those that need the Engine say so, and a network policy may reach a database.
    """
    found = [find_condition(host.status.conditions, type_) for type_ in (ENGINE_READY, DATABASES_COVERED)]
    return [
        f"DockerHost {called(host.meta)}: {condition.message}"
        for condition in found
        if condition is not None and condition.status == "False"
    ]


def is_on_demand(policy: BackupPolicy) -> bool:
    """Whether the policy, by its own status, is neither fresh nor stale because nothing asks for an age."""
    fresh = find_condition(policy.status.conditions, FRESH)
    return fresh is not None and fresh.reason == ON_DEMAND


def called(meta: ObjectMeta) -> str:
    """The name, with a namespace that need not be guessed."""
    return meta.name if meta.namespace == "default" else f"{meta.namespace}/{meta.name}"


def find_condition_worries(name: str, conditions: list[Condition], expected: tuple[str, ...]) -> list[str]:
    """Each expected condition that is not True, in words."""
    worries = []
    for type_ in expected:
        condition = find_condition(conditions, type_)
        if condition is None:
            worries.append(f"{name}: {type_} is not known yet; is the operator running?")
        elif condition.status != "True":
            worries.append(f"{name} is not {type_} ({condition.reason}): {condition.message}")
    return worries
