"""Objects as an API server would give them, for the tests of decisions."""

import json
from datetime import UTC, datetime
from typing import Any

from strongroom.api.labels import RESULT_ANNOTATION
from strongroom.api.resources import (
    BackupPolicy,
    BackupRun,
    BackupStore,
    DockerHost,
    parse_host,
    parse_policy,
    parse_run,
    parse_store,
)
from strongroom.domain.jobs import build_job

CREATED = datetime(2026, 11, 1, tzinfo=UTC)
SHA = "0" * 64


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def meta(name: str, created: datetime = CREATED, **more: Any) -> dict[str, Any]:
    base = {
        "name": name,
        "namespace": "default",
        "uid": f"uid-{name}",
        "generation": 1,
        "resourceVersion": "1",
    }
    return base | {"creationTimestamp": created.isoformat()} | more


def policy(
    name: str = "orders", created: datetime = CREATED, status: dict | None = None, **spec: Any
) -> BackupPolicy:
    base = {
        "schedule": "0 2 * * *",
        "host": "local",
        "stores": ["vault"],
        "sources": [{"name": "db", "postgres": {"host": "localhost", "user": "u", "databases": ["orders"]}}],
    }
    return parse_policy({"metadata": meta(name, created), "spec": base | spec, "status": status or {}})


def run(name: str = "r1", created: datetime = CREATED, status: dict | None = None, **spec: Any) -> BackupRun:
    base = {"policy": "orders", "reason": "Manual"}
    return parse_run({"metadata": meta(name, created), "spec": base | spec, "status": status or {}})


def store(name: str = "vault", status: dict | None = None, **spec: Any) -> BackupStore:
    base = spec or {"local": {"path": "/backups" if name == "vault" else f"/{name}"}}
    return parse_store({"metadata": meta(name), "spec": base, "status": status or {}})


def host(
    name: str = "local",
    *,
    ready: bool = True,
    namespace: str = "default",
    status: dict | None = None,
    **spec: Any,
) -> DockerHost:
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "reason": "AgentAlive",
        "lastTransitionTime": CREATED.isoformat(),
    }
    body = {
        "metadata": meta(name) | {"namespace": namespace},
        "spec": spec,
        "status": {"conditions": [condition], **(status or {})},
    }
    return parse_host(body)


def database(container: str = "shop-db-1", **more: Any) -> dict[str, Any]:
    """A server that an agent found, as the status of its host holds it."""
    return {"container": container, "project": "shop", "service": "db", "image": "postgres:16"} | more


def container_source(name: str = "db", **postgres: Any) -> dict[str, Any]:
    return {"name": name, "postgres": postgres or {"container": {"project": "shop", "service": "db"}}}


def result(run_uid: str, **changes: Any) -> dict[str, Any]:
    artifact = {
        "source": "db",
        "kind": "database",
        "database": "orders",
        "file": "db/orders.dump.zst",
        "plainBytes": 10,
        "plainSha256": SHA,
        "storedBytes": 5,
        "storedSha256": SHA,
        "verification": {"level": "Full", "readBack": True, "time": "2026-11-22T02:01:00Z"},
    }
    base = {
        "runUid": run_uid,
        "outcome": "Succeeded",
        "reason": "Succeeded",
        "startedAt": "2026-11-22T02:00:05Z",
        "finishedAt": "2026-11-22T02:01:05Z",
        "recoveryPoint": "default/orders/x",
        "artifacts": [artifact],
        "copies": [{"store": "vault", "state": "Succeeded", "manifestKey": "default/orders/x/manifest.json"}],
    }
    return base | changes


def job_body(
    of: BackupRun,
    *,
    result: dict[str, Any] | str | None = None,
    created: datetime = CREATED,
    conditions: list[dict] | None = None,
    of_policy: BackupPolicy | None = None,
    **status: Any,
) -> dict[str, Any]:
    body = build_job(of, of_policy or policy(), [store()], host(), [], "image")
    body["metadata"] |= {"uid": "uid-job", "creationTimestamp": created.isoformat(), "resourceVersion": "1"}
    if result is not None:
        text = result if isinstance(result, str) else json.dumps(result)
        body["metadata"]["annotations"] = {RESULT_ANNOTATION: text}
    return body | {"status": {**status, "conditions": conditions or []}}


COMPLETE = {"type": "Complete", "status": "True", "reason": "CompletionsReached", "message": ""}


def failed_condition(reason: str) -> dict[str, str]:
    return {"type": "Failed", "status": "True", "reason": reason, "message": "in words"}
