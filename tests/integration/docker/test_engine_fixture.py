"""The Engines and images that the tests of Docker hosts stand on."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.docker.engine import ROOT, Engine
from tests.docker.slot import Slot
from tests.images.build import POSTGRES, POSTGRES_BUSYBOX


@contextmanager
def _postgres(engine: Engine, image: str) -> Iterator[str]:
    """A healthy server's container."""
    settings = ["--env=POSTGRES_USER=shop", "--env=POSTGRES_PASSWORD=a 'b", "--env=POSTGRES_DB=orders"]
    container = engine.docker("run", "--detach", *settings, image)
    try:
        engine.wait_healthy(container)
        yield container
    finally:
        engine.docker("rm", "--force", "--volumes", container)


def test_two_engines_at_once_do_not_see_each_others_containers(engine: Engine, second_engine: Engine) -> None:
    container = engine.docker("run", "--detach", POSTGRES, "sleep", "300")
    assert engine.docker("ps", "--quiet", "--no-trunc") == container
    assert second_engine.docker("ps", "--quiet", "--all") == ""
    ids = {one.docker("info", "--format", "{{.ID}}") for one in (engine, second_engine)}
    assert len(ids) == 2
    engine.remove_containers()


@pytest.mark.parametrize("image", [POSTGRES, POSTGRES_BUSYBOX])
def test_postgres_answers_on_its_socket_and_on_the_network(engine: Engine, image: str) -> None:
    with _postgres(engine, image) as container:
        local = ["exec", container, "psql", "--username=shop", "--dbname=orders", "-Atc", "SELECT 40 + 2"]
        assert engine.docker(*local) == "42"
        address = engine.docker("inspect", "--format={{.NetworkSettings.IPAddress}}", container)
        remote = f"host={address} user=shop dbname=orders"
        assert (
            engine.docker("exec", "--env=PGPASSWORD=a 'b", container, "psql", remote, "-Atc", "SELECT 1")
            == "1"
        )


def test_the_busybox_image_has_no_other_tools(engine: Engine) -> None:
    run = ["run", "--rm", "--entrypoint=sh", POSTGRES_BUSYBOX, "-c"]
    tools = [
        "sh",
        "tee",
        "sha256sum",
        "wc",
        "tar",
        "cat",
        "kill",
        "mkfifo",
        "head",
        "tr",
        "grep",
        "sleep",
        "test",
    ]
    found = engine.docker(*run, f"for tool in {' '.join(tools)}; do readlink -f $(which $tool); done")
    assert set(found.split()) == {"/usr/bin/busybox"}
    absent = "for tool in bash perl python3 openssl; do which $tool; done; true"
    assert engine.docker(*run, absent) == ""


def test_an_image_without_a_password_refuses_to_start(engine: Engine) -> None:
    container = engine.docker("run", "--detach", POSTGRES)
    assert engine.docker("wait", container) == "1"


def test_a_killed_engine_finds_its_containers_at_the_next_start(fresh_engine: Engine) -> None:
    with _postgres(fresh_engine, POSTGRES) as container:
        fresh_engine.kill()
        fresh_engine.start()
        fresh_engine.docker("start", container)
        fresh_engine.wait_healthy(container)


def test_an_engine_ends_with_the_process_that_started_it(docker_images: Path) -> None:
    program = (
        "import sys\n"
        "from tests.docker.engine import Engine\n"
        "engine = Engine(sys.argv[1])\n"
        "engine.start()\n"
        "engine.docker('run', '--detach', sys.argv[2], 'sleep', '300')\n"
        "print(engine.number, flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(docker_images), POSTGRES]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        slot = Slot(int(child.stdout.readline()))
        assert slot.socket.exists()
        child.kill()
    with slot.lock.open() as lock:  # free when the keeper has ended
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert not slot.run.exists()
    assert not slot.data.exists()
    assert not Path(f"/sys/class/net/{slot.bridge}").exists()
