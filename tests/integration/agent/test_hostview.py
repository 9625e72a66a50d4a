"""What this machine refuses, judged by what a real Engine tells of its containers and volumes."""

import json

import pytest
from tests.images.build import BASE
from tests.unit.agent.test_permissions import order

from strongroom.agent.allowances import Allowances
from strongroom.agent.asks import list_asks
from strongroom.agent.hostview import look_at_host
from strongroom.agent.permissions import build_permissions
from strongroom.api.errors import Reason, StrongroomError
from strongroom.engine.connecting import connect_engine

COMMAND = {"before": [{"container": {"name": "box"}, "command": ["true"]}]}
NOTHING = {"postgres": {"host": "h", "user": "u", "databases": ["d"]}}


@pytest.fixture
def run(engine):
    def run(*options, image=BASE):
        return engine.docker("run", "--detach", "--name=box", *options, image, "sleep", "600")

    yield run
    engine.docker("rm", "--force", "--volumes", "box")


@pytest.fixture
def refusal(engine):
    """The refusal's text, or None when all is allowed."""

    def refusal(work):
        asks = list_asks(work)
        view = look_at_host(work, asks, connect_engine(engine.url))
        try:
            build_permissions(Allowances()).check(asks, view)
        except StrongroomError as error:
            return error.message if error.reason is Reason.HostForbids else f"wrong reason: {error.reason}"
        return None

    return refusal


def bind_volume(engine, name, folder):
    options = ("--opt=type=none", "--opt=o=bind", f"--opt=device={folder}")
    engine.docker("volume", "create", *options, name)


def test_an_ordinary_container_with_a_volume_is_open_to_commands(run, refusal):
    run("--volume=data:/data", "--volume=/etc/localtime:/etc/localtime")
    assert refusal(order(NOTHING, hooks=COMMAND)) is None


def test_a_volume_that_is_the_whole_host_is_neither_read_nor_a_way_to_its_root(engine, run, refusal):
    bind_volume(engine, "everything", "/")
    run("--volume=everything:/host")
    assert "--allow-path /" in refusal(order({"files": {"volume": "everything"}}))
    assert "it has / of the host" in refusal(order(NOTHING, hooks=COMMAND))


def test_a_volume_that_is_a_folder_of_data_is_a_volume_as_any_other(engine, refusal, tmp_path):
    bind_volume(engine, "media", tmp_path)
    assert refusal(order({"files": {"volume": "media"}})) is None


def test_a_link_to_a_place_of_the_host_is_that_place(run, refusal, tmp_path):
    (tmp_path / "link").symlink_to("/etc/ssl")
    run(f"--volume={tmp_path}/link:/config")
    assert "it has /etc/ssl of the host" in refusal(order(NOTHING, hooks=COMMAND))


def test_a_folder_with_the_engines_socket_is_the_engine(engine, run, refusal):
    run(f"--volume={engine.socket.parent}:/sockets:ro")
    assert "--allow-root-container box" in refusal(order(NOTHING, hooks=COMMAND))


def test_a_container_without_the_usual_walls_is_root_on_the_host(run, refusal):
    run("--security-opt=systempaths=unconfined")
    assert "the host's /proc" in refusal(order(NOTHING, hooks=COMMAND))


def test_an_image_cannot_say_which_folder_of_the_host_is_a_projects(engine, run, refusal):
    folder = "com.docker.compose.project.working_dir"
    labels = {"com.docker.compose.project": "shop", folder: "/root/.ssh"}
    change = "LABEL " + " ".join(f"{key}={json.dumps(value)}" for key, value in labels.items())
    engine.docker("create", "--name=draft", BASE, "true")
    engine.docker("commit", f"--change={change}", "draft", "evil:latest")
    engine.docker("rm", "draft")
    run(image="evil:latest")
    config = order({"config": {"project": "shop"}})
    assert "--allow-path /root/.ssh/.env" in refusal(config)
    engine.docker("rm", "--force", "box")
    run(f"--label={folder}=/home/ada/shop", image="evil:latest")
    assert refusal(config) is None
