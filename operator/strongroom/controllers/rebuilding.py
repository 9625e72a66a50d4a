"""What a catalogue says of runs is written down: one object and one status for a run that is new, one status for any other."""

from strongroom.api.resources import BackupRun, BackupStore, ObjectMeta, parse_run
from strongroom.api.result import CataloguePoint
from strongroom.controllers.context import Context
from strongroom.domain.catalogues import Action, Complete, Drop, Found, Lost, Rebuild
from strongroom.domain.copies import PRUNED
from strongroom.domain.foundruns import (
    build_found_run,
    build_found_status,
    with_found_copy,
    with_lost_copy,
)
from strongroom.domain.names import found_run_name
from strongroom.domain.runrecords import RunRecord, identity_in_stores, record_run
from strongroom.kube.client import Object
from strongroom.kube.kinds import RUNS
from strongroom.kube.rights import on

RIGHTS = (
    on(RUNS, "get", "create", "delete"),
    on(RUNS, "patch", sub="status"),
)


async def carry_out(context: Context, store: BackupStore, action: Action) -> None:
    """Carry out one action. Raises ApiError; whatever was not written is decided again."""
    match action:
        case Rebuild():
            await _rebuild(context, store, action)
        case Complete():
            run = await _read(context, action.record)
            if run is not None:
                await _complete(context, store, run, action.point)
        case Found():
            await _amend(context, store, action.record, action)
        case Lost():
            await _amend(context, store, action.record, action)
        case Drop():
            record = action.record
            await context.client.delete(RUNS, record.namespace, record.name, uid=record.uid)


async def _rebuild(context: Context, store: BackupStore, action: Rebuild) -> None:
    """Make the run, or find the one that is there; one of that name and of another backup gets out of the way of neither."""
    point, name = action.point, action.name
    body = await _ensure(context, store, point, name)
    if _identity(body) != point.run_uid:
        body = await _ensure(context, store, point, found_run_name(point.run, point.run_uid))
    if _identity(body) == point.run_uid:
        context.take_in(RUNS, body)
        await _complete(context, store, parse_run(body), point)


async def _ensure(context: Context, store: BackupStore, point: CataloguePoint, name: str) -> Object:
    body = build_found_run(point, store.meta.name, store.meta.namespace, name)
    return await context.client.ensure(RUNS, store.meta.namespace, body)


def _identity(body: Object) -> str:
    return identity_in_stores(ObjectMeta.model_validate(body["metadata"]))


async def _complete(context: Context, store: BackupStore, run: BackupRun, point: CataloguePoint) -> None:
    if run.status.phase != "Pending":
        return
    status = build_found_status(point, store.meta.name, context.now(), run.meta.generation)
    await context.write_status(RUNS, run.meta, run.status, status)


async def _amend(context: Context, store: BackupStore, record: RunRecord, action: Found | Lost) -> None:
    """Change the copies of a terminal run, on the version just read: what others wrote of it meanwhile stands."""
    run = await _read(context, record)
    if run is None or not record_run(run).is_terminal:
        return
    name = store.meta.name
    if isinstance(action, Found):
        status = with_found_copy(run.status, action.point, name)
    else:
        status = with_lost_copy(run.status, name, action.reason, action.message)
    if await context.write_status(RUNS, run.meta, run.status, status):
        await _tell(context, run, name, action)


async def _tell(context: Context, run: BackupRun, store: str, action: Found | Lost) -> None:
    if isinstance(action, Found):
        await context.tell(RUNS, run.meta, "Normal", "CopyFound", f"Its copy is in store {store}.")
    elif action.reason != PRUNED:
        await context.tell(RUNS, run.meta, "Warning", action.reason, f"Store {store}: {action.message}.")


async def _read(context: Context, record: RunRecord) -> BackupRun | None:
    body = await context.client.reads.get(RUNS, record.namespace, record.name)
    if body is None or body["metadata"]["uid"] != record.uid:
        return None
    return parse_run(body)
