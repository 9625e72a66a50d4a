"""Story: a compose stack is damaged, and one request brings back its database and its media as they were, or nothing of them."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docker.compose import ComposeStack, running_stack
from tests.docker.engine import Engine
from tests.e2e.stackhost import PROJECT, Host, read_policies, whole_policy
from tests.e2e.stronghold import condition, eventually, run, stronghold
from tests.integration.files.trees import describe_tree

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
APPLICATION = {"project": PROJECT, "service": "django-app"}


@pytest.fixture(scope="module")
def stack(worker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    folder = tmp_path_factory.mktemp("stack") / PROJECT
    with running_stack(worker_engine, folder, PROJECT) as stack:
        stack.seed()
        yield stack


@pytest.fixture(scope="module", params=["process", "container"])
def host(
    request: pytest.FixtureRequest, stack: ComposeStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    (folder / "store").mkdir(mode=0o700)
    options = ("--engine", stack.engine.url, "--isolation", request.param)
    with stronghold(folder / "state", options=options) as hold:
        yield Host(hold, stack, folder / "store", request.param, 0)


@pytest.fixture(scope="module")
def whole(host: Host) -> dict[str, Any]:
    """What the stack was like when it was backed up."""
    body = whole_policy(host.store)
    sources = body["spec"]["sources"]
    for name in ("user", "passwordSecret"):
        sources[0]["postgres"].pop(name, None)
    stores = [each for each in read_policies(host.store) if each["kind"] == "BackupStore"]
    host.hold.apply(*stores, body, run("whole-1", "whole"))
    assert host.hold.finished_run("whole-1")["status"]["phase"] == "Succeeded"
    eventually("/health/ answers", host.answers, 60)
    return {"database": host.database.content(), "media": media(host)}


def media(host: Host) -> Any:
    return describe_tree(host.stack.volume("media"))


def damage(host: Host) -> None:
    """Rows deleted, a table dropped, media removed."""
    host.database.sql("DROP TABLE shop_order_line CASCADE")
    host.database.sql("DELETE FROM shop_order WHERE id % 2 = 0")
    volume = host.stack.volume("media")
    for path in sorted(volume.iterdir())[:1]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (volume / "intruder").write_text("not of the backup")


def request(name: str, **spec: Any) -> dict[str, Any]:
    base = {
        "from": {"policy": "whole", "latest": True, "sources": ["database", "media"]},
        "target": {"mode": "InPlace"},
        "stopServices": [APPLICATION],
        "stopTimeout": "5s",
        "keepReplaced": "0s",
    }
    return {
        "apiVersion": "strongroom.dev/v1alpha1",
        "kind": "RestoreRequest",
        "metadata": {"name": name},
        "spec": base | spec,
    }


def until(host: Host, name: str, *phases: str) -> dict[str, Any]:
    def reached() -> dict[str, Any] | None:
        status = (host.hold.try_get("restorerequest", name) or {}).get("status", {})
        return status if status.get("phase") in phases else None

    return eventually(f"request {name} is {' or '.join(phases)}", reached, 300)


def confirm(host: Host, name: str) -> None:
    wanted = until(host, name, "AwaitingConfirmation", "Failed")
    assert wanted["phase"] == "AwaitingConfirmation", wanted["message"]
    patch = f'{{"spec":{{"confirm":"{wanted["plan"]["confirmation"]}"}}}}'
    host.hold.kubectl("patch", "rr", name, "--type=merge", "-p", patch)


def states(host: Host) -> set[str]:
    return {host.state(service) for service in ("postgresql", "django-app", "nginx")}


def test_an_application_that_does_not_become_healthy_gets_the_old_state_back(
    host: Host, whole: dict[str, Any]
) -> None:
    damage(host)
    damaged = host.database.content(), media(host)
    check = {"url": f"{host.stack.url}/health/", "expectText": "what it never says", "timeout": "5s"}
    host.hold.apply(request("sick", healthCheck=check))
    confirm(host, "sick")
    done = until(host, "sick", "Succeeded", "Failed")
    assert condition(host.hold.get("rr", "sick"), "Succeeded")["reason"] == "HealthCheckFailed", done[
        "message"
    ]
    assert done["rolledBack"]
    assert (host.database.content(), media(host)) == damaged
    eventually("the application runs again", lambda: states(host) == {"running"}, 60)


def test_one_request_brings_back_database_and_media_and_the_application_is_healthy(
    host: Host, whole: dict[str, Any]
) -> None:
    host.hold.apply(request("back", healthCheck={"url": f"{host.stack.url}/health/", "timeout": "60s"}))
    confirm(host, "back")
    done = until(host, "back", "Succeeded", "Failed")
    assert done["phase"] == "Succeeded", done["message"]
    assert host.database.content() == whole["database"]
    assert media(host) == whole["media"]
    assert states(host) == {"running"}
    assert host.answers()
    assert {step["name"] for step in done["steps"]} >= {"SafetyBackup", "StopServices", "Swap", "HealthCheck"}


def test_nothing_of_it_is_left_on_the_host(host: Host, whole: dict[str, Any]) -> None:
    names = host.database.run(
        "psql", "-XqAt", "-d", "postgres", "-c", "SELECT datname FROM pg_database"
    ).split()
    assert set(names) == {"postgres", "shop", "template0", "template1"}
    assert [
        path for path in Path(host.stack.volume("media")).iterdir() if path.name.startswith(".strongroom")
    ] == []
    workers = "--filter=label=strongroom.dev/job"
    eventually(
        "no worker's container is left",
        lambda: not host.stack.engine.docker("ps", "--all", "--quiet", workers),
        30,
    )
