"""The result's place: replaced as a whole, or written where a cluster mounts it."""

from datetime import UTC, datetime
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.result import (
    LARGEST_RESULT_BYTES,
    MOST_ARTIFACTS,
    Artifact,
    ArtifactVerification,
    TableRows,
    WorkResult,
)
from strongroom.worker.results import build_failure, build_result, write_result
from strongroom.worker.task import Done

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RESULT = build_failure("uid", StrongroomError(Reason.StoreFull, "no\nroom"), datetime.now(UTC), str.upper)


def test_a_result_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("old")
    write_result(tmp_path / "result.json", RESULT)
    assert WorkResult.model_validate_json((tmp_path / "result.json").read_bytes()) == RESULT
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    assert (RESULT.reason, RESULT.retryable, RESULT.message) == ("StoreFull", True, "NO\nROOM")


def test_the_largest_result_is_one_that_is_taken(tmp_path: Path) -> None:
    name = "d" * 63
    artifact = Artifact(
        source=name, kind="database", database=name, file=f"{name}.{name}.dump.zst",
        plain_bytes=2**40, plain_sha256="0" * 64, stored_bytes=2**40, stored_sha256="0" * 64,
        server_version="18.20", client_version="18.20", table_count=1000, row_count=2**40,
        row_counts=[TableRows(table="t" * 128, rows=2**40)] * 8,
        verification=ArtifactVerification(level="Full", read_back=True, time=NOW),
    )  # fmt: skip
    result = build_result("uid", Done(artifacts=[artifact] * MOST_ARTIFACTS), None, NOW, str)
    write_result(tmp_path / "result", result)
    assert (tmp_path / "result").stat().st_size < LARGEST_RESULT_BYTES - 60_000  # for what is told of stores
    read = WorkResult.model_validate_json((tmp_path / "result").read_bytes())
    assert len(read.artifacts) == MOST_ARTIFACTS
    assert read.artifacts[0].row_counts == []
