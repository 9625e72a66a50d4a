"""History: which finished runs may be forgotten, and which have lost their artifacts to retention.

Forgetting a run deletes a resource, never data.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from strongroom.domain.runrecords import RunRecord

NEVER = datetime.min.replace(tzinfo=UTC)


def find_forgettable(records: Iterable[RunRecord], limit: int) -> list[RunRecord]:
    """Finished runs of one policy beyond the newest `limit`, oldest first.

    Runs that are held, or whose artifacts still exist, are kept beside those and not counted.
    """
    spent = [
        record
        for record in records
        if record.is_terminal and not record.hold and not record.holds_artifacts and not record.is_deleting
    ]
    spent.sort(key=lambda record: (record.moment, record.name))
    return spent[: max(0, len(spent) - limit)]


def find_deleted_copies(records: Iterable[RunRecord]) -> dict[tuple[str, str], datetime]:
    """What retention deleted: store and name of the run, and when last."""
    gone: dict[tuple[str, str], datetime] = {}
    for record in records:
        deleted_at = record.completed or record.moment
        for copy in ((done.store, name) for done in record.deletions for name in done.runs):
            gone[copy] = max(deleted_at, gone.get(copy, deleted_at))
    return gone


def is_held(record: RunRecord, store: str, gone: Mapping[tuple[str, str], datetime]) -> bool:
    """Whether a store holds a good copy of what a run made that has not been deleted since."""
    is_good = store in record.good_stores and record.holds_artifacts
    return is_good and gone.get((store, record.origin_run), NEVER) < record.moment


def find_pruned(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Runs of one policy that are not yet marked as pruned although retention deleted them from every store.

    Only what a later run deleted: an earlier one deleted another run of the same name.
    """
    known = list(records)
    gone = find_deleted_copies(known)
    return [
        record
        for record in known
        if record.is_terminal
        and record.holds_artifacts
        and all(record.moment <= gone.get((store, record.origin_run), NEVER) for store in record.good_stores)
    ]
