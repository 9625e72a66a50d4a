"""Volumes and mounts of a real Docker Engine, restored while their containers stand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docker.engine import Engine
from tests.images.build import WEB
from tests.integration.files.orders import Trees, drop_order, restore_order
from tests.integration.files.test_restore import succeed
from tests.integration.files.trees import describe_tree

from strongroom.agent.asks import list_asks
from strongroom.agent.hostview import look_at_host
from strongroom.api.workorder import WorkOrder
from strongroom.engine.connecting import connect_engine
from strongroom.engine.hostaddresses import is_own_address, list_container_networks
from strongroom.engine.volumes import ensure_volume, has_volume

pytestmark = pytest.mark.integration


@pytest.fixture
def on_engine(tmp_path: Path, engine: Engine) -> Trees:
    return Trees(tmp_path, engine.url)


@pytest.fixture
def box(engine: Engine, tmp_path: Path) -> Iterator[str]:
    """A container with the volume `media` at /data and a folder of the host at /bound, both with files."""
    (tmp_path / "bound/sub").mkdir(parents=True)
    (tmp_path / "bound/sub/file").write_text("first")
    engine.docker("volume", "create", "media")
    options = ["--volume=media:/data", f"--volume={tmp_path}/bound:/bound", "--network=none"]
    engine.docker("run", "--detach", "--name=box", *options, WEB, "sleep", "1000000")
    inside(
        engine, "mkdir -p /data/a && echo first > /data/a/b && ln /data/a/b /data/hard && chmod 2770 /data"
    )
    yield "box"
    engine.docker("rm", "--force", "box")
    engine.docker("volume", "rm", "media")


def inside(engine: Engine, script: str) -> str:
    return engine.docker("exec", "--user=0", "box", "sh", "-c", script)


def mountpoint(engine: Engine, volume: str) -> Path:
    return Path(engine.docker("volume", "inspect", "--format={{.Mountpoint}}", volume))


def back_up(trees: Trees, files: dict[str, Any]) -> dict[str, Any]:
    source = {"name": "media", "files": files}
    _, result = trees.run(sources=[source])
    assert result.outcome == "Succeeded", result.message
    return source


def test_a_container_sees_the_restored_volume_at_once_and_services_that_ran_run_again(
    on_engine: Trees, engine: Engine, box: str
) -> None:
    source = back_up(on_engine, {"volume": "media"})
    expected = describe_tree(mountpoint(engine, "media"))
    inside(engine, "echo second > /data/a/b && touch /data/later && rm /data/hard && chmod 755 /data")
    hooks = {"stop": [{"name": "box"}], "stopTimeout": "1s"}
    check = {"exec": {"container": {"name": "box"}, "command": ["grep", "first", "/data/a/b"]}}
    order = restore_order(on_engine, source, hooks=hooks, healthCheck=check)
    _, outcome = succeed(on_engine, order)
    assert inside(engine, "cat /data/hard /data/a/b") == "first\nfirst"
    found = describe_tree(mountpoint(engine, "media"))
    assert {n: f for n, f in found.items() if not n.startswith(".strongroom-")} == expected
    (kept,) = outcome.replaced
    assert (kept.kind, kept.original) == ("volume", "media")
    assert [step.name for step in outcome.steps if step.name.endswith("Services")] == [
        "StopServices",
        "StartServices",
    ]
    succeed(on_engine, drop_order(on_engine, outcome.replaced, source))
    assert describe_tree(mountpoint(engine, "media")) == expected


def test_a_health_check_that_fails_puts_the_old_volume_back(
    on_engine: Trees, engine: Engine, box: str
) -> None:
    source = back_up(on_engine, {"volume": "media"})
    inside(engine, "echo second > /data/a/b")
    before = describe_tree(mountpoint(engine, "media"))
    check = {
        "exec": {"container": {"name": "box"}, "command": ["grep", "second", "/data/a/b"]},
        "timeout": "1s",
    }
    _, result = on_engine.carry_out(restore_order(on_engine, source, healthCheck=check))
    assert result.reason == "HealthCheckFailed"
    assert result.restore is not None
    assert result.restore.rolled_back
    assert describe_tree(mountpoint(engine, "media")) == before


@pytest.mark.parametrize(
    ("path", "file"),
    [("/data/a", "/data/a/b"), ("/bound/sub", "/bound/sub/file"), ("/bound", "/bound/sub/file")],
)
def test_a_path_in_a_container_is_restored_on_the_mount_behind_it_also_while_it_is_stopped(
    on_engine: Trees, engine: Engine, box: str, path: str, file: str
) -> None:
    source = back_up(on_engine, {"inContainer": {"container": {"name": "box"}, "path": path}})
    inside(engine, f"echo second > {file}")
    engine.docker("stop", "--time=0", "box")
    _, outcome = succeed(on_engine, restore_order(on_engine, source))
    engine.docker("start", "box")
    assert inside(engine, f"cat {file}") == "first"
    succeed(on_engine, drop_order(on_engine, outcome.replaced, source))


def test_a_containers_own_layer_is_restored_into_a_folder_alone(
    on_engine: Trees, engine: Engine, box: str
) -> None:
    inside(engine, "mkdir -p /own && echo mine > /own/file && chown 1234:5678 /own/file")
    source = back_up(on_engine, {"inContainer": {"container": {"name": "box"}, "path": "/own"}})
    _, result = on_engine.carry_out(restore_order(on_engine, source))
    assert (result.reason, "own layer" in result.message) == ("Unsupported", True)
    succeed(on_engine, restore_order(on_engine, source, mode="Directory", path=str(on_engine.folder / "out")))
    restored = on_engine.folder / "out/media/file"
    assert (restored.read_text(), restored.stat().st_uid) == ("mine\n", 1234)


def test_a_link_that_a_container_has_laid_is_no_place_for_a_restore(
    on_engine: Trees, engine: Engine, box: str
) -> None:
    source = back_up(on_engine, {"inContainer": {"container": {"name": "box"}, "path": "/data/a"}})
    inside(engine, "mv /data/a /data/away && ln -s /etc /data/a")
    _, result = on_engine.carry_out(restore_order(on_engine, source))
    assert (result.reason, "symbolic link" in result.message) == ("InvalidSpec", True)


def test_a_new_volume_is_planned_without_being_made(on_engine: Trees, engine: Engine, box: str) -> None:
    back_up(on_engine, {"volume": "media"})
    _, plan = on_engine.carry_out(
        restore_order(on_engine, kind="PlanRestore", mode="Directory", volume="fresh")
    )
    assert plan.plan is not None, plan.message
    assert plan.plan.items[0].into == "fresh/media"
    assert not has_volume(connect_engine(engine.url), "fresh")
    ensure_volume(connect_engine(engine.url), "fresh", {"a": "b"})
    ensure_volume(connect_engine(engine.url), "fresh", {"a": "b"})
    succeed(on_engine, restore_order(on_engine, mode="Directory", volume="fresh"))
    assert (mountpoint(engine, "fresh") / "media/a/b").read_text() == "first\n"


def test_a_volume_that_is_gone_is_told(on_engine: Trees, engine: Engine, box: str) -> None:
    source = back_up(on_engine, {"volume": "media"})
    target = {**source, "files": {"volume": "nowhere"}}
    _, result = on_engine.carry_out(restore_order(on_engine, target))
    assert (result.reason, "create it first" in result.message) == ("TargetMissing", True)


def test_addresses_of_the_host_and_of_its_containers_are_told_from_others(
    on_engine: Trees, engine: Engine
) -> None:
    assert is_own_address("127.0.0.1")
    assert is_own_address(engine.gateway)
    assert not is_own_address("192.0.2.1")
    networks = list_container_networks(connect_engine(engine.url))
    assert any(network.startswith(engine.gateway.rpartition(".")[0]) for network in networks)
    order = restore_order(
        on_engine, healthCheck={"url": "http://192.0.2.1/"}, mode="Directory", path="/srv/x"
    )
    work = WorkOrder.model_validate(order)
    seen = look_at_host(work, list_asks(work), connect_engine(engine.url)).networks
    assert (seen.strangers, set(seen.containers)) == ({"http://192.0.2.1/": "192.0.2.1"}, set(networks))
