"""What Jobs said of stores since this process started: the newest word from each host."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import ValidationError

from strongroom.api.errors import Reason
from strongroom.api.resources import BackupStore
from strongroom.api.result import StoreReport, WorkResult
from strongroom.domain.jobstates import JobState
from strongroom.domain.stores import Contact

Name = tuple[str, str]
CLUSTER = "(cluster)"


class Contacts:
    """Store reports by store and host."""

    def __init__(self) -> None:
        """Nobody has spoken."""
        self._by_store: dict[Name, dict[str, Contact]] = {}

    def of(self, store: Name) -> list[Contact]:
        """The newest contact of each host."""
        return list(self._by_store.get(store, {}).values())

    def forget(self, store: Name) -> None:
        """The store has gone."""
        self._by_store.pop(store, None)

    def hear(self, job: JobState, stores: Mapping[str, BackupStore]) -> list[Name]:
        """Take in what an ended Job says; returns the stores that it speaks of. `stores` are the namespace's of now.

        What it says of a store that is specified otherwise by now is not said of that store.
        """
        if job.kind == "Catalogue":
            return []  # what it found is not said of the store's health: a check finds out
        told = {store.name: store.spec for store in job.stores}
        result = _result(job)
        moment = _moment(job, result)
        host = job.seen_from
        heard = []
        for report in _reports(job, result):
            store = stores.get(report.store)
            if store is None or told.get(report.store) != store.spec:
                continue
            contact = Contact(host, moment, store.meta.generation, report, is_check=job.store is not None)
            known = self._by_store.setdefault(store.key, {}).get(host)
            if known is None or known.is_silence or known.time <= moment:
                self._by_store[store.key][host] = contact
                heard.append(store.key)
        return heard

    def note_silence(self, store: Name, host: str, moment: datetime, generation: int) -> None:
        """A check from that host did not end."""
        message = f"the check did not end. {Reason.HostNotReady.hint}"
        report = StoreReport(store=store[1], ready=False, reason=Reason.HostNotReady.name, message=message)
        self._by_store.setdefault(store, {})[host] = Contact(
            host, moment, generation, report, is_check=True, is_silence=True
        )


def _moment(job: JobState, result: WorkResult | None) -> datetime:
    """Since when what the Job says is true, by the clock of its host; a Job's own times are whole seconds.

    A check may have counted at any time since its start: a run that ended meanwhile knows better.
    """
    if result is not None:
        return result.started_at if job.store is not None else result.finished_at
    ended = job.ending.time if job.ending is not None else None
    return ended or job.created


def _reports(job: JobState, result: WorkResult | None) -> list[StoreReport]:
    """What the result says of its stores; a check that failed without a word is a word against its store."""
    if result is not None and result.stores:
        return result.stores
    if job.store is None:
        return []
    reason = result.reason if result is not None else Reason.WorkerLost.name
    message = result.message if result is not None else "the check ended without a result"
    ready = result is not None and result.outcome == "Succeeded"
    return [
        StoreReport(store=job.store, ready=ready, reason=None if ready else reason, message=message or None)
    ]


def _result(job: JobState) -> WorkResult | None:
    try:
        result = WorkResult.model_validate_json(job.result or "")
    except ValidationError:
        return None
    return result if job.order is not None and result.run_uid == job.order.run_uid else None
