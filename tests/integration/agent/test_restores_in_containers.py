"""Restores by workers in containers: they write to what the order restores into and the host allows, and to nothing else."""

import json
from pathlib import Path

import pytest
from tests.images.build import WEB
from tests.integration.agent.hosts import work_order
from tests.integration.files.trees import describe_tree, make_tree

from strongroom.agent.allowances import OWN_IMAGE, Allowances


@pytest.fixture
def engine(worker_engine):
    worker_engine.docker("volume", "create", "media")
    worker_engine.docker(
        "run", "--detach", "--name=box", "--volume=media:/data", "--network=none", WEB, "sleep", "infinity"
    )
    (volume(worker_engine, "media") / "file").write_text("content")
    yield worker_engine
    worker_engine.docker("rm", "--force", "box")
    for name in worker_engine.docker("volume", "ls", "--quiet").split():
        worker_engine.docker("volume", "rm", name)


@pytest.fixture
def shop(tmp_path):
    """A folder of the host with a tree and a file of configuration."""
    (tmp_path / "store").mkdir()
    (tmp_path / "shop/media").mkdir(parents=True)
    make_tree(tmp_path / "shop/media")
    (tmp_path / "shop/app.conf").write_text("first\n")
    return tmp_path / "shop"


@pytest.fixture
def start(own_host, engine, tmp_path):
    """Start the agent, which lets restores into these paths alone."""

    def start(*restored):
        own_host.image = OWN_IMAGE
        own_host.start(
            engine_url=engine.url,
            isolation="container",
            allowed=Allowances(
                stores=(str(tmp_path),),
                paths=(str(tmp_path),),
                restore_paths=tuple(map(str, restored)),
            ),
        )
        return own_host

    return start


def targets(shop):
    return [
        {"name": "media", "files": {"path": str(shop / "media")}},
        {"name": "volume", "files": {"volume": "media"}},
        {"name": "config", "config": {"paths": [str(shop / "app.conf")], "allowUnencrypted": True}},
    ]


async def back_up(host, shop):
    order = work_order("shop", host.namespace, "run-uid", ("pg", "password"))
    order["stores"][0]["spec"]["local"]["path"] = str(shop.parent / "store")
    order["backup"] |= {"run": "first", "sources": targets(shop)}
    await succeed(host, order)


async def succeed(host, order):
    condition, _, result, _ = await host.finished(
        await host.send("shop", order=json.dumps(order)), seconds=180
    )
    assert (condition, result["outcome"]) == ("Complete", "Succeeded"), result["message"]
    return result


def restore(host, shop, kind="Restore", **part):
    restore = {"request": "back", "choice": {"policy": "shop", "run": "first"}, "mode": "InPlace", **part}
    return {
        "kind": kind,
        "namespace": host.namespace,
        "runUid": f"uid-{len(json.dumps(part))}",
        "deadlineSeconds": 300,
        "stores": [{"name": "local", "spec": {"local": {"path": str(shop.parent / "store")}}}],
        "restore": restore,
    }


def volume(engine, name):
    return Path(engine.docker("volume", "inspect", "--format={{.Mountpoint}}", name))


def seen(folder):
    found = describe_tree(folder)
    return {
        name: without_trusted(facts) for name, facts in found.items() if not name.startswith(".strongroom-")
    }


def without_trusted(facts):
    """Attributes that no root of a container may see or set."""
    kept = {name: value for name, value in facts[4].items() if not name.startswith("trusted.")}
    return (*facts[:4], kept, *facts[5:])


@pytest.mark.parametrize("above", [True, False])
async def test_volume_path_and_configuration_come_back_as_one(start, engine, shop, above):
    make_tree(volume(engine, "media"))
    expected = seen(shop / "media"), seen(volume(engine, "media"))
    allowed = [shop] if above else [shop / "media", shop / "app.conf"]
    host = start(*allowed)
    await back_up(host, shop)
    (shop / "media/plain").write_bytes(b"damaged")
    engine.docker("exec", "--user=0", "box", "rm", "/data/plain")
    chosen = targets(shop) if above else targets(shop)[:2]
    if above:
        (shop / "app.conf").write_text("second\n")
    names = [str(shop / "media"), "media", "configuration of config"][: len(chosen)]
    part = {
        "targets": chosen,
        "choice": {"policy": "shop", "run": "first", "sources": [each["name"] for each in chosen]},
        "overwrites": [{"source": each["name"]} for each in chosen],
        "allowSpecialFiles": True,
        "hooks": {"stop": [{"name": "box"}], "stopTimeout": "1s"},
    }
    plan = await succeed(host, restore(host, shop, "PlanRestore", **part))
    assert plan["plan"]["confirmation"] == ",".join(names)
    assert plan["plan"]["services"] == ["box"]
    result = await succeed(host, restore(host, shop, **part))
    assert (seen(shop / "media"), seen(volume(engine, "media"))) == expected
    assert (shop / "app.conf").read_text() == "first\n"
    assert engine.docker("inspect", "--format={{.State.Status}}", "box") == "running"
    kept = result["restore"]["replaced"]
    assert [each["original"] for each in kept] == names
    order = restore(host, shop, "DropReplaced", **part)
    del order["restore"]
    order["drop"] = {"request": "back", "policy": "shop", "targets": chosen, "replaced": kept}
    await succeed(host, order)
    assert not [*shop.rglob(".strongroom-*"), *volume(engine, "media").glob(".strongroom-*")]


async def test_a_new_volume_is_made_by_the_agent_and_only_for_the_restore(start, engine, shop):
    host = start(shop)
    await back_up(host, shop)
    part = {"mode": "Directory", "volume": "fresh", "allowSpecialFiles": True}
    plan = await succeed(host, restore(host, shop, "PlanRestore", **part))
    assert {item["into"] for item in plan["plan"]["items"]} == {"fresh/media", "fresh/volume", "fresh/config"}
    assert "fresh" not in engine.docker("volume", "ls", "--quiet").split()
    await succeed(host, restore(host, shop, **part))
    assert seen(volume(engine, "fresh") / "media") == seen(shop / "media")


async def test_what_the_host_does_not_allow_is_refused_before_a_worker_is_started(start, engine, shop):
    host = start(shop / "media")
    await back_up(host, shop)
    before = seen(shop)
    order = restore(host, shop, targets=targets(shop))
    _, _, result, _ = await host.finished(await host.send("shop", order=json.dumps(order)))
    assert result["reason"] == "HostForbids"
    assert f"--allow-restore-path {shop}/app.conf" in result["message"]
    assert seen(shop) == before
