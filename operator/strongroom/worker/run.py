"""The worker: one order in, progress lines out, one result out. Every failure becomes a result here."""

import functools
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.result import WorkResult
from strongroom.api.workorder import WorkOrder
from strongroom.engine.connecting import connect_engine
from strongroom.sources.files.places import read_places
from strongroom.sources.postgres.clients import FOLDERS
from strongroom.worker.asking import Asking
from strongroom.worker.backup import run_backup
from strongroom.worker.cataloguing import run_catalogue
from strongroom.worker.catchingup import run_catch_up
from strongroom.worker.drilling.drill import run_drill
from strongroom.worker.ending import EndedError, Ending
from strongroom.worker.orders import parse_order
from strongroom.worker.progress import ProgressLines
from strongroom.worker.restoring.dropping import run_drop
from strongroom.worker.restoring.planning import run_plan
from strongroom.worker.restoring.restore import run_restore
from strongroom.worker.results import build_failure, build_result, write_result, write_termination
from strongroom.worker.secretfiles import SecretFiles
from strongroom.worker.storechecks import run_store_check
from strongroom.worker.task import Done, Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerPaths:
    """Where the worker finds its order and secrets, and leaves its result; and where client programs are looked for."""

    order: Path
    secrets: Path
    result: Path
    scratch: Path
    client_folders: Sequence[str] = FOLDERS
    journal: Path | None = None
    engine_url: str | None = None
    mounts: Path | None = None
    reach: Sequence[str] = ()
    roll_back: bool = False
    claims: Path | None = None
    termination_message: Path | None = None
    answers: Path | None = None
    drill_servers: Path | None = None


def run_worker(paths: WorkerPaths) -> int:
    """Carry out the order and return the exit code: 0, or that of the result's reason.

    Writes the result as the very last act. Must be called in the main thread: it listens to signals meanwhile.
    """
    started = datetime.now(UTC)
    secrets = SecretFiles(paths.secrets)
    with Ending() as ending:
        result = _result(paths, secrets, started, ending)
        write_result(paths.result, result)
        if paths.termination_message is not None:
            write_termination(paths.termination_message, result, sys.stdout)
    log.info("%s: %s", result.reason, result.message)
    return 0 if result.outcome == "Succeeded" else Reason[result.reason].exit_code


def _result(paths: WorkerPaths, secrets: SecretFiles, started: datetime, ending: Ending) -> WorkResult:
    """What came of the order, whatever came."""
    try:
        return _carry_out(paths, secrets, started, ending)
    except StrongroomError as error:
        return build_failure(_run_uid(paths.order), error, started, secrets.hide)
    except EndedError as ended:
        return build_failure(_run_uid(paths.order), ended.failure, started, secrets.hide)
    except Exception as error:
        log.exception("unexpected failure")
        fault = StrongroomError(Reason.InternalError, f"{type(error).__name__}: {error}")
        return build_failure(_run_uid(paths.order), fault, started, secrets.hide)


def _carry_out(paths: WorkerPaths, secrets: SecretFiles, started: datetime, ending: Ending) -> WorkResult:
    order = parse_order(paths.order)
    paths.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="worker-", dir=paths.scratch) as scratch:
        progress = ProgressLines(sys.stdout)
        task = Task(
            order=order,
            secrets=secrets,
            scratch=Path(scratch),
            progress=progress,
            client_folders=paths.client_folders,
            started_at=started,
            ending=ending,
            engine=functools.cache(functools.partial(connect_engine, paths.engine_url)),
            places=read_places(paths.mounts, paths.claims),
            journal=paths.journal,
            reach=paths.reach,
            rolls_back=paths.roll_back,
            drill_servers=paths.drill_servers,
            asking=None
            if paths.answers is None
            else Asking(progress, paths.answers, lambda: ending.is_asked),
        )
        try:
            ending.interrupt_after(order.deadline_seconds)
            done, failure = _perform(task)
        finally:
            ending.put_off()  # the folder with the secrets goes, and the result is written, whatever is asked
        return build_result(order.run_uid, done, failure, started, secrets.hide)


def _perform(task: Task) -> tuple[Done, StrongroomError | None]:
    order = task.order
    if order.backup is not None:
        return run_backup(task, order.backup)
    if order.catch_up is not None:
        return run_catch_up(task, order.catch_up)
    if order.catalogue is not None:
        return run_catalogue(task, order.catalogue)
    if order.kind == "CheckStore":
        return run_store_check(task)
    return _restore(task)


def _restore(task: Task) -> tuple[Done, StrongroomError | None]:
    order = task.order
    if order.drill is not None:
        return run_drill(task, order.drill)
    if order.drop is not None:
        return run_drop(task, order.drop)
    if order.restore is None:
        raise StrongroomError(Reason.Unsupported, f"the work order: kind: {order.kind}")
    if order.kind == "PlanRestore":
        return run_plan(task, order.restore), None
    return run_restore(task, order.restore)


def _run_uid(path: Path) -> str:
    """The order's identity, also of an order that could not be understood; empty if even that cannot be read."""
    try:
        return WorkOrder.model_validate_json(path.read_bytes()).run_uid
    except (OSError, ValueError):
        pass
    try:
        found = json.loads(path.read_bytes()).get("runUid")
    except (OSError, ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) and len(found) <= 64 else ""
