"""Volumes, mounts and compose projects of a real Docker Engine, read where they are."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docker.compose import ComposeStack
from tests.docker.engine import Engine
from tests.images.build import POSTGRES_BUSYBOX, WEB
from tests.integration.files.orders import Trees
from tests.integration.files.trees import describe_tree, extract

from strongroom.api.result import WorkResult

pytestmark = pytest.mark.integration


@pytest.fixture
def on_engine(tmp_path: Path, engine: Engine) -> Trees:
    return Trees(tmp_path, engine.url)


@pytest.fixture(scope="module")
def volume(engine: Engine) -> Path:
    """The folder of the volume `media`."""
    engine.docker("volume", "create", "media")
    return Path(engine.docker("volume", "inspect", "--format={{.Mountpoint}}", "media"))


@pytest.fixture(scope="module")
def container(engine: Engine, volume: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`box` with the volume at /data, and a folder of the host, which is given, at /data/host/folder."""
    folder = tmp_path_factory.mktemp("bound")
    options = ["--volume=media:/data", f"--volume={folder}:/data/host/folder:ro", "--network=none"]
    engine.docker("run", "--detach", "--name=box", *options, WEB, "sleep", "1000000")
    yield folder
    engine.docker("rm", "--force", "box")


def run(trees: Trees, files: dict[str, Any], name: str = "first") -> WorkResult:
    return trees.run(name, sources=[{"name": "media", "files": files}])[1]


def unpack(trees: Trees, result: WorkResult, target: Path) -> Path:
    assert result.outcome == "Succeeded", result.message
    archive = trees.folder / "plain.tar"
    with archive.open("wb") as file:
        subprocess.run(["zstd", "-dc", trees.artifact(result)], stdout=file, check=True)
    extract(archive, target)
    return target


def test_a_named_volume_comes_back_as_its_containers_saw_it(
    on_engine: Trees, engine: Engine, volume: Path, container: Path, tmp_path: Path
) -> None:
    script = "cd /data && mkdir -p a/b && echo text > a/b/c && ln a/b/c hard && ln -s a/b soft && chown 1234:5678 a/b/c"
    engine.docker("exec", "box", "sh", "-c", script)
    found = unpack(on_engine, run(on_engine, {"volume": "media"}), tmp_path / "out")
    assert describe_tree(found) == describe_tree(volume)


def test_a_path_in_a_container_is_read_from_the_volume_or_bind_behind_it(
    on_engine: Trees, volume: Path, container: Path, tmp_path: Path
) -> None:
    (volume / "sub").mkdir(exist_ok=True)
    (volume / "sub/picture").write_bytes(b"volume")
    (container / "picture").write_bytes(b"bind")
    for number, (path, content) in enumerate(
        [("/data/sub", b"volume"), ("/data/host/folder", b"bind"), ("/data/../data/host//folder/", b"bind")]
    ):
        result = run(
            on_engine, {"inContainer": {"container": {"name": "box"}, "path": path}}, f"run-{number}"
        )
        found = unpack(on_engine, result, tmp_path / f"out-{number}")
        assert (found / "picture").read_bytes() == content


def test_a_link_that_a_container_laid_never_leads_to_the_hosts_files(
    on_engine: Trees, engine: Engine, container: Path
) -> None:
    engine.docker("exec", "box", "ln", "-sfn", "/etc", "/data/trap")
    for path in ("/data/trap", "/data/trap/ssl"):
        result = run(on_engine, {"inContainer": {"container": {"name": "box"}, "path": path}})
        assert (result.outcome, result.reason) == ("Failed", "InvalidSpec")
        assert "symbolic link" in result.message


def test_a_mount_below_the_path_is_never_left_out_without_a_word(
    on_engine: Trees, volume: Path, container: Path, tmp_path: Path
) -> None:
    (volume / "own").write_text("of the volume")
    (container / "hidden").write_text("of the folder below")
    where = {"container": {"name": "box"}, "path": "/data"}
    refused = run(on_engine, {"inContainer": where})
    assert (refused.outcome, refused.reason) == ("Failed", "InvalidSpec")
    assert "host/folder" in refused.message
    result = run(on_engine, {"inContainer": where, "exclude": ["/host/folder/"]})
    found = unpack(on_engine, result, tmp_path / "out")
    assert (found / "own").read_text() == "of the volume"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"volume": "nowhere"}, "SourceMissing"),
        ({"inContainer": {"container": {"name": "nobody"}, "path": "/data"}}, "ContainerNotFound"),
        ({"inContainer": {"container": {"name": "box"}, "path": "/data/missing"}}, "SourceMissing"),
    ],
)
def test_what_is_not_there_is_named(
    on_engine: Trees, container: Path, files: dict[str, Any], reason: str
) -> None:
    result = run(on_engine, files)
    assert (result.outcome, result.reason) == ("Failed", reason)


def test_an_empty_volume_is_taken_for_the_wrong_one_unless_it_may_be_empty(
    on_engine: Trees, engine: Engine
) -> None:
    engine.docker("volume", "create", "empty")
    assert run(on_engine, {"volume": "empty"}).reason == "SourceEmpty"
    assert run(on_engine, {"volume": "empty", "allowEmpty": True}, "second").outcome == "Succeeded"


def test_an_engine_that_is_away_is_told_and_may_come_back(trees: Trees) -> None:
    trees.engine_url = f"unix://{trees.folder}/nothing.sock"
    _, result = trees.run(sources=[{"name": "media", "files": {"volume": "media"}}])
    assert (result.reason, result.retryable) == ("EngineUnreachable", True)


@pytest.mark.parametrize(("image", "producer"), [(WEB, "GNU tar"), (POSTGRES_BUSYBOX, "busybox tar")])
def test_a_path_in_a_containers_own_layer_is_archived_by_the_tar_inside(
    on_engine: Trees, engine: Engine, tmp_path: Path, image: str, producer: str
) -> None:
    box = engine.docker("run", "--detach", "--network=none", "--entrypoint=sleep", image, "1000000")
    name = engine.docker("inspect", "--format={{.Name}}", box).removeprefix("/")
    script = "mkdir -p /own/layer/deep && cd /own/layer && echo text > deep/file && ln -s deep soft && ln deep/file hard"
    engine.docker(
        "exec", "--user=0", box, "sh", "-c", f"{script} && chown 1234:5678 hard && mkdir /own/empty"
    )
    where = {"container": {"name": name}}
    for path, members in (("/own/layer", 5), ("/own/layer/deep/file", 1)):
        result = run(on_engine, {"inContainer": {**where, "path": path}}, f"run-{members}")
        assert (result.outcome, result.artifacts[0].member_count) == ("Succeeded", members), result.message
        assert str(result.artifacts[0].client_version).startswith(producer)
    found = unpack(
        on_engine, run(on_engine, {"inContainer": {**where, "path": "/own/layer"}}), tmp_path / "out"
    )
    assert (found / "deep/file").read_text() == "text\n"
    assert (found / "hard").stat().st_uid == 1234
    assert (found / "hard").samefile(found / "deep/file")
    assert str((found / "soft").readlink()) == "deep"
    for path, reason in (("/own/missing", "SourceMissing"), ("/own/empty", "SourceEmpty")):
        assert run(on_engine, {"inContainer": {**where, "path": path}}, "failing").reason == reason
    engine.docker("rm", "--force", box)


def config(trees: Trees, fields: dict[str, Any], name: str = "first") -> WorkResult:
    source = {"name": "config", "config": {"allowUnencrypted": True, **fields}}
    return trees.run(name, sources=[source])[1]


def test_a_compose_projects_configuration_is_found_by_its_labels(
    on_engine: Trees, compose_stack: ComposeStack, tmp_path: Path
) -> None:
    extra = tmp_path / "vault.yml"
    extra.write_text("vault")
    result = config(on_engine, {"project": compose_stack.project, "paths": [str(extra)]})
    found = unpack(on_engine, result, tmp_path / "out")
    folder = compose_stack.folder.relative_to("/")
    for name in ("docker-compose.yml", ".env", "nginx/nginx.conf", "postgresql/schema.sql"):
        assert (found / folder / name).read_bytes() == (compose_stack.folder / name).read_bytes()
    certificates = [path.name for path in (compose_stack.folder / "nginx/certificates").iterdir()]
    assert {path.name for path in (found / folder / "nginx/certificates").iterdir()} == set(certificates)
    assert (found / extra.relative_to("/")).read_text() == "vault"
    assert not (found / folder / "seed.sh").exists()
    assert result.artifacts[0].kind == "config"


def test_configuration_is_not_stored_in_the_clear_unless_that_is_said(
    on_engine: Trees, compose_stack: ComposeStack
) -> None:
    result = config(on_engine, {"project": compose_stack.project, "allowUnencrypted": False})
    assert (result.outcome, result.reason) == ("Failed", "EncryptionRequired")


def test_a_project_that_no_container_knows_is_named(on_engine: Trees) -> None:
    result = config(on_engine, {"project": "unknown"})
    assert (result.reason, result.outcome) == ("ContainerNotFound", "Failed")
    assert "config.project" in result.message
