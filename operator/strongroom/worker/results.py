"""The one result of an order."""

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from strongroom.api.errors import StrongroomError
from strongroom.api.result import LARGEST_RESULT_BYTES, Artifact, Outcome, WorkResult
from strongroom.api.terminations import needs_log, pack_result
from strongroom.worker.task import Done


def build_result(
    run_uid: str, done: Done, failure: StrongroomError | None, started: datetime, hide: Callable[[str], str]
) -> WorkResult:
    """Succeeded; with a failure Partial if some store is as it should be, else Failed."""
    return WorkResult(
        run_uid=run_uid,
        outcome=_outcome(done, failure),
        reason="Succeeded" if failure is None else failure.reason.name,
        message=(done.message or _summary(done))[:1024] if failure is None else hide(failure.message),
        retryable=failure is not None and failure.reason.retryable,
        started_at=started,
        finished_at=datetime.now(UTC),
        recovery_point=done.recovery_point,
        artifacts=list(done.artifacts),
        contents=done.contents,
        manifest_sha256=done.manifest_sha256,
        copies=list(done.copies),
        retention=list(done.retention),
        catalogue=done.catalogue,
        plan=done.plan,
        restore=done.restore,
        drill=done.drill,
        stores=list(done.stores),
    )


def _summary(done: Done) -> str:
    """What was made, in words; what was not counted is not told. A success may lack copies (minCopies)."""
    lacking = [
        f"store {copy.store} lacks its copy ({copy.reason})"
        for copy in done.copies
        if copy.state != "Succeeded"
    ]
    return "; ".join(filter(None, [_describe(done.artifacts), *lacking]))


def _describe(artifacts: Sequence[Artifact]) -> str:
    rows = [artifact.row_count for artifact in artifacts if artifact.row_count is not None]
    members = [artifact.member_count for artifact in artifacts if artifact.member_count is not None]
    parts = [
        f"{len(artifacts)} artifact{'s' * (len(artifacts) != 1)}" if artifacts else "",
        f"{sum(artifact.stored_bytes for artifact in artifacts)} bytes stored" if artifacts else "",
        f"{sum(rows)} rows counted" if rows else "",
        f"{sum(members)} members counted" if members else "",
    ]
    return ", ".join(filter(None, parts))


def _outcome(done: Done, failure: StrongroomError | None) -> Outcome:
    if failure is None:
        return "Succeeded"
    good = any(copy.state == "Succeeded" for copy in done.copies)
    return "Partial" if good or (not done.copies and any(store.ready for store in done.stores)) else "Failed"


def build_failure(
    run_uid: str, error: StrongroomError, started: datetime, hide: Callable[[str], str]
) -> WorkResult:
    """Failed, with its reason."""
    return WorkResult(
        run_uid=run_uid,
        outcome="Failed",
        reason=error.reason.name,
        message=hide(error.message),
        retryable=error.reason.retryable,
        started_at=started,
        finished_at=datetime.now(UTC),
    )


def _fitting(result: WorkResult) -> WorkResult:
    """The result itself, or without rows by table, which the manifest has: one that is refused would cost the run."""
    if len(result.model_dump_json(by_alias=True, exclude_none=True).encode()) <= LARGEST_RESULT_BYTES:
        return result
    brief = [artifact.model_copy(update={"row_counts": []}) for artifact in result.artifacts]
    return result.model_copy(update={"artifacts": brief})


def write_termination(path: Path, result: WorkResult, log: TextIO) -> None:
    """Leave the result as a pod's termination message; what does not fit goes to the log, as its last line."""
    text = _fitting(result).model_dump_json(by_alias=True, exclude_none=True)
    message = pack_result(text, _brief(result).model_dump_json(by_alias=True, exclude_none=True))
    if needs_log(message):
        with suppress(OSError):
            print(text, file=log, flush=True)
    path.write_text(message)


def _brief(result: WorkResult) -> WorkResult:
    """What a run cannot do without: its manifest tells the rest."""
    copies = [
        copy.model_copy(update={"message": (copy.message or "")[:100] or None}) for copy in result.copies
    ]
    return WorkResult(
        run_uid=result.run_uid,
        outcome=result.outcome,
        reason=result.reason,
        message=result.message[:256],
        retryable=result.retryable,
        started_at=result.started_at,
        finished_at=result.finished_at,
        recovery_point=result.recovery_point,
        manifest_sha256=result.manifest_sha256,
        copies=copies,
    )


def write_result(path: Path, result: WorkResult) -> None:
    """Put the result in its place, whole or not at all, and durably."""
    content = _fitting(result).model_dump_json(by_alias=True, exclude_none=True).encode()
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".result-", delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
