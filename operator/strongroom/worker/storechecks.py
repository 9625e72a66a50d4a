"""Is a store there, and does it do what a backup will ask of it?"""

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import MANIFEST_NAME
from strongroom.api.result import StoreReport
from strongroom.api.workorder import OrderStore
from strongroom.stores.keys import PASSING_PREFIX
from strongroom.stores.opening import open_store
from strongroom.stores.store import KeyLockedError, Store
from strongroom.worker.catalogue import read_whole
from strongroom.worker.copying import Copies, named
from strongroom.worker.secretfiles import SecretFiles
from strongroom.worker.task import Done, Task

_POINT_SEGMENTS = 4  # namespace, policy, recovery point, file
_LISTED_SECONDS = 3.0
_LATE = (
    f"Its listing is behind: what was written did not show within {_LISTED_SECONDS:g} seconds. Backups are good all the same; "
    "retention waits until it sees the newest, and whoever has nothing but the store sees it late."
)


def run_store_check(task: Task) -> tuple[Done, StrongroomError | None]:
    """List, write, read and delete in every store, and report on each. The error is that of the first which failed."""
    task.progress.enter("CheckStore")
    copies = open_stores(task.order.stores, task.secrets, task.scratch)
    notes: dict[str, str | None] = {}
    with suppress(StrongroomError):  # raised when the last store has failed too; the reports say why
        copies.each(lambda _, store: store.probe())
        notes = copies.each(lambda _, store: _exercise(store, task.order.run_uid))
    reports = report_stores(copies, lambda _, store: count_points(store), task.secrets.hide)
    done = Done(stores=[_with_note(report, notes.get(report.store)) for report in reports])
    return done, next(iter(copies.failures.values()), None)


def open_stores(stores: Sequence[OrderStore], files: SecretFiles, scratch: Path | None = None) -> Copies:
    """Every store of the order, not yet touched; Unsupported for a type that this version lacks."""
    return Copies({wanted.name: open_store(wanted.name, wanted.spec, files, scratch) for wanted in stores})


def count_points(store: Store) -> tuple[int, int]:
    """Recovery points of all policies and their stored bytes, from one listing."""
    found = [key for key in store.list() if key.key.count("/") == _POINT_SEGMENTS - 1]
    committed = {key.key.rpartition("/")[0] for key in found if key.key.rpartition("/")[2] == MANIFEST_NAME}
    return len(committed), sum(key.size_bytes for key in found if key.key.rpartition("/")[0] in committed)


def report_stores(
    copies: Copies, count: Callable[[str, Store], tuple[int, int]], hide: Callable[[str], str]
) -> list[StoreReport]:
    """What each store says of itself now."""
    return [_report(name, store, copies, count, hide) for name, store in copies.stores.items()]


def _report(
    name: str,
    store: Store,
    copies: Copies,
    count: Callable[[str, Store], tuple[int, int]],
    hide: Callable[[str], str],
) -> StoreReport:
    try:
        if name in copies.failures:
            raise copies.failures[name]
        with named(name):
            probe = store.probe()
            points, total = count(name, store)
    except StrongroomError as error:
        return StoreReport(store=name, ready=False, reason=error.reason.name, message=hide(error.message))
    return StoreReport(
        store=name,
        ready=True,
        capabilities=sorted(probe.capabilities),
        recovery_points=points,
        total_bytes=total,
        free_bytes=probe.free_bytes,
    )


def _with_note(report: StoreReport, note: str | None) -> StoreReport:
    return report if note is None or not report.ready else report.model_copy(update={"message": note})


def _exercise(store: Store, run_uid: str) -> str | None:
    """Write, read, list and delete; what is worth a word although all went well."""
    key, content = f"{PASSING_PREFIX}{run_uid}/{secrets.token_hex(8)}", secrets.token_bytes(64)
    try:
        with store.create(key) as writer:
            writer.write(content)
            writer.commit()
        if read_whole(store, key) != content:
            raise StrongroomError(Reason.StoreFailed, "a probe was written and came back different")
        note = None if _is_listed(store, key) else _LATE
    finally:
        _clear(store, key)
    _clear_old(store, datetime.now(UTC) - timedelta(hours=1))
    return note


def _is_listed(store: Store, key: str) -> bool:
    """Within some seconds."""
    deadline = time.monotonic() + _LISTED_SECONDS
    while not any(found.key == key for found in store.list(key)):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LISTED_SECONDS / 10)
    return True


def _clear(store: Store, key: str) -> None:
    """A bucket that locks whatever is written keeps even a probe, for a while."""
    with suppress(KeyLockedError):
        store.delete(key)


def _clear_old(store: Store, before: datetime) -> None:
    """Remove what earlier checks had to leave."""
    for found in store.list(PASSING_PREFIX):
        if found.modified < before:
            _clear(store, found.key)
    store.sweep(PASSING_PREFIX, before)
