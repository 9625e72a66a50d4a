"""What this machine refuses, judged by what a real Engine tells of its containers and volumes."""

import json

import pytest
from tests.images.build import BASE
from tests.unit.agent.test_permissions import DB, order

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


def build_image(engine, name, **labels):
    """An image that says all this of itself."""
    change = "LABEL " + " ".join(
        f"com.docker.compose.{key.replace('__', '.')}={json.dumps(value)}" for key, value in labels.items()
    )
    engine.docker("create", "--name=draft", BASE, "true")
    engine.docker("commit", f"--change={change}", "--change=LABEL strongroom.dev/policy=shop", "draft", name)
    engine.docker("rm", "draft")


def test_an_image_cannot_say_which_folder_of_the_host_is_a_projects(engine, run, refusal):
    build_image(engine, "evil:files", project="shop", project__working_dir="/root/.ssh")
    run("--label=com.docker.compose.service=web", image="evil:files")
    assert refusal(order({"config": {"project": "shop"}})) is not None


def test_an_image_cannot_pass_for_a_service_or_be_attached_to_a_policy(engine, run, refusal):
    build_image(engine, "evil:db", project="shop", service="db")
    run(image="evil:db")
    for wanted in ({"container": DB}, {"labelled": True}):
        assert "labels of its image alone" in refusal(order({"postgres": wanted}))
    assert "labels of its image alone" in refusal(order(NOTHING, hooks={"stop": [DB]}))
    assert refusal(order({"postgres": {"container": {"name": "box"}}})) is None


def test_a_service_from_an_image_that_compose_has_built_is_itself(engine, run, refusal):
    build_image(engine, "built:db", project="shop", service="db")
    folder = "com.docker.compose.project.working_dir=/home/ada/shop"
    run(f"--label={folder}", "--label=strongroom.dev/policy=n/shop", image="built:db")
    for source in ({"postgres": {"container": DB}}, {"postgres": {"labelled": True}}):
        assert refusal(order(source)) is None
    assert refusal(order({"config": {"project": "shop"}})) is None
