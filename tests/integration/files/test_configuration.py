"""Configuration by paths: each under its own path, whatever links lead there."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.integration.files.orders import Trees
from tests.integration.files.trees import HARD_NAMES, extract
from tests.keys.stock import age_pair
from tests.keys.stock import run as run_tool

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.result import WorkResult
from strongroom.engine.projectfiles import ProjectFiles
from strongroom.sources.files.composefiles import named_files
from strongroom.sources.files.configuration import Search
from strongroom.sources.files.places import HOST


def run(trees: Trees, paths: list[Path], mounts: Any = None, **fields: Any) -> WorkResult:
    config = {"allowUnencrypted": True, "paths": [str(path) for path in paths], **fields}
    return trees.run(sources=[{"name": "config", "config": config}], mounts=mounts)[1]


def unpack(trees: Trees, result: WorkResult) -> Path:
    assert result.outcome == "Succeeded", result.message
    archive = trees.folder / "plain.tar"
    with archive.open("wb") as file:
        subprocess.run(["zstd", "-dc", trees.artifact(result)], stdout=file, check=True)
    extract(archive, trees.folder / "out")
    return trees.folder / "out"


def test_files_and_folders_keep_their_paths_without_the_slash(trees: Trees) -> None:
    (trees.root / "conf.d").mkdir()
    (trees.root / "conf.d/a.conf").write_text("a")
    result = run(trees, [trees.root / "conf.d", trees.root / "file", trees.root / "conf.d/a.conf"])
    out = unpack(trees, result)
    inside = out / trees.root.relative_to("/")
    assert (inside / "conf.d/a.conf").read_text() == "a"
    assert (inside / "file").read_bytes() == b"content"
    assert result.artifacts[0].member_count == 3


def test_a_path_that_is_a_link_holds_what_it_leads_to_under_its_own_name(trees: Trees) -> None:
    (trees.root / "archive").mkdir()
    (trees.root / "archive/cert.1,&\\.pem").write_text("certificate")
    (trees.root / "live.pem").symlink_to("archive/cert.1,&\\.pem")
    (trees.root / "odd.*[a],\\1 & folder").symlink_to("archive")
    out = unpack(trees, run(trees, [trees.root / "live.pem", trees.root / "odd.*[a],\\1 & folder"]))
    inside = out / trees.root.relative_to("/")
    assert (inside / "live.pem").read_text() == "certificate"
    assert (inside / "odd.*[a],\\1 & folder/cert.1,&\\.pem").read_text() == "certificate"


def test_names_that_are_hard_to_keep_survive_another_place(trees: Trees) -> None:
    for name in HARD_NAMES:
        (trees.root / name.decode(errors="surrogateescape")).write_bytes(name)
    mounts = {"paths": {"/etc/shop, & co": str(trees.root)}}
    out = unpack(trees, run(trees, [Path("/etc/shop, & co")], mounts))
    for name in HARD_NAMES:
        assert (out / "etc/shop, & co" / name.decode(errors="surrogateescape")).read_bytes() == name


def test_patterns_leave_out_by_the_paths_of_the_host(trees: Trees) -> None:
    (trees.root / "private.key").touch()
    out = unpack(trees, run(trees, [trees.root], exclude=[f"{trees.root}/*.key"]))
    inside = out / trees.root.relative_to("/")
    assert {path.name for path in inside.iterdir()} == {"file"}


def test_a_listed_path_that_is_missing_fails_the_run(trees: Trees) -> None:
    result = run(trees, [trees.root / "file", trees.root / "missing"])
    assert (result.outcome, result.reason) == ("Failed", "SourceMissing")
    assert "missing" in result.message


def test_files_that_a_compose_file_names_are_found() -> None:
    text = b"""
include: [common.yml, {path: [sub/a.yml, b.yml], project_directory: ., env_file: sub/a.env}]
services:
  a: {env_file: a.env, extends: other}
  b: {env_file: [./b.env, {path: /etc/c.env, required: false}], label_file: b.labels}
  c: {env_file: "${DIR}/d.env", extends: {file: ../base/base.yml, service: c}}
  d: null
secrets: {key: {file: ./secrets/key}, outside: {external: true}}
configs: {site: {file: ../site.conf}}
"""
    named = named_files(text, "/srv/shop")
    assert named.files == [
        "/srv/shop/sub/a.env",
        "/srv/shop/a.env",
        "/srv/shop/b.env",
        "/etc/c.env",
        "/srv/shop/b.labels",
        "/srv/shop/secrets/key",
        "/srv/site.conf",
    ]
    assert named.compose == {
        "/srv/shop/common.yml": "/srv/shop",
        "/srv/shop/sub/a.yml": "/srv/shop",
        "/srv/shop/b.yml": "/srv/shop",
        "/srv/base/base.yml": "/srv/base",
    }
    assert named.unknown == ["${DIR}/d.env"]


def labelled_project(folder: Path, *compose: str) -> ProjectFiles:
    return ProjectFiles(str(folder), [str(folder / name) for name in compose], [str(folder / ".env")], [])


def test_compose_files_lead_to_further_ones_in_a_circle_too(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "compose.yml").write_text("include: [sub/more.yml]\nservices: {a: {env_file: a.env}}")
    (tmp_path / "sub/more.yml").write_text(
        "include: [../compose.yml]\nservices: {b: {env_file: b.env, extends: {file: ../base.yml}}}"
    )
    for name in ("a.env", "sub/b.env", "base.yml"):
        (tmp_path / name).write_text("{}")
    search = Search(labelled_project(tmp_path, "compose.yml"), HOST, "source config: config")
    names = {str(Path(path).relative_to(tmp_path)) for path in search.run()}
    assert names == {"compose.yml", "sub/more.yml", "a.env", "sub/b.env", "base.yml"}
    assert search.lacking == []


def test_whatever_a_project_names_and_is_not_taken_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "outside.env").touch()
    (folder / "compose.yml").write_text(
        "services: {a: {env_file: [missing.env, ../outside.env, '${X}.env']}}\ninclude: [pipe.yml, gone.yml]"
    )
    os.mkfifo(folder / "pipe.yml")
    search = Search(labelled_project(folder, "compose.yml"), HOST, "source config: config")
    search.run()
    told = "\n".join(search.lacking)
    for name in ("missing.env", "outside.env", "${X}.env", "pipe.yml", "gone.yml"):
        assert name in told
    assert len(search.lacking) == 5


def test_a_compose_file_that_was_moved_away_fails_the_run(tmp_path: Path) -> None:
    search = Search(labelled_project(tmp_path, "compose.yml"), HOST, "source config: config")
    with pytest.raises(StrongroomError, match=r"compose\.yml does not exist") as caught:
        search.run()
    assert caught.value.reason is Reason.SourceMissing


@pytest.mark.parametrize("text", [b"", b"- list", b"a: !custom b", b"{"])
def test_what_is_no_compose_file_is_told(text: bytes) -> None:
    with pytest.raises(ValueError):
        named_files(text, "/srv")


def test_configuration_needs_no_permission_when_it_is_encrypted(trees: Trees) -> None:
    config = {"paths": [str(trees.root / "file")]}
    sources = [{"name": "config", "config": config}]
    code, refused = trees.run("in-the-clear", sources=sources)
    assert (code != 0, refused.reason) == (True, "EncryptionRequired")
    pair = age_pair()
    (trees.folder / "key.txt").write_text(pair.private)
    result = trees.run(sources=sources, encryption={"age": {"recipients": [pair.public]}})[1]
    assert result.outcome == "Succeeded", result.message
    opened = run_tool("age", "--decrypt", "--identity", trees.folder / "key.txt", trees.artifact(result))
    listing = run_tool("tar", "--list", stdin=run_tool("zstd", "-dc", stdin=opened)).decode()
    assert str((trees.root / "file").relative_to("/")) in listing
