"""Is a store there, and does it do what a backup will ask of it?"""

import secrets
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


def run_store_check(task: Task) -> tuple[Done, StrongroomError | None]:
    """List, write, read and delete in every store, and report on each. The error is that of the first which failed."""
    task.progress.enter("CheckStore")
    copies = open_stores(task.order.stores, task.secrets, task.scratch)
    with suppress(StrongroomError):  # raised when the last store has failed too; the reports say why
        copies.each(lambda _, store: store.probe())
        copies.each(lambda _, store: _exercise(store, task.order.run_uid))
    done = Done(stores=report_stores(copies, lambda _, store: count_points(store), task.secrets.hide))
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


def _exercise(store: Store, run_uid: str) -> None:
    key, content = f"{PASSING_PREFIX}{run_uid}/{secrets.token_hex(8)}", secrets.token_bytes(64)
    try:
        with store.create(key) as writer:
            writer.write(content)
            writer.commit()
        listed = [found.key for found in store.list(key)]
        if listed != [key] or read_whole(store, key) != content:
            raise StrongroomError(Reason.StoreFailed, "a probe was written and came back different")
    finally:
        _clear(store, key)
    _clear_old(store, datetime.now(UTC) - timedelta(hours=1))


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
