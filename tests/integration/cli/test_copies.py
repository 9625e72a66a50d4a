"""Copies of a real recovery point in two folders: fetched and read back from the command line, with a control plane and without."""

import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.embedded import EmbeddedApi, served
from tests.integration.files.orders import Trees
from tests.keys import stock

from strongroom.api.result import WorkResult
from strongroom.kube.connection import connect
from strongroom.kube.kinds import RUNS, SECRETS, STORES
from strongroom.pipeline.signing import PrivateKey


@dataclass
class Shelf:
    """What was backed up, where its copies are, and the keys."""

    trees: Trees
    stores: list[Path]
    result: WorkResult
    key: Path
    public: Path

    def file(self, store: int) -> Path:
        return self.trees.artifact(self.result, self.stores[store])

    def damage(self, store: int) -> None:
        path = self.file(store)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.chmod(0o600)
        path.write_bytes(content)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    trees = Trees(tmp_path)
    (trees.root / "photo.jpg").write_bytes(os.urandom(300_000))
    pair, signer = stock.age_pair(), PrivateKey.generate()
    secret = tmp_path / "secrets/signing/private.pem"
    secret.parent.mkdir()
    secret.write_bytes(signer.pem())
    (tmp_path / "key.txt").write_text(pair.private)
    (tmp_path / "public.pem").write_bytes(signer.public.pem())
    stores = [tmp_path / "near", tmp_path / "far"]
    for store in stores:
        store.mkdir()
    code, result = trees.run(
        "shop-1",
        stores=stores,
        encryption={"age": {"recipients": [pair.public]}},
        signing={"privateKeySecret": {"name": "signing", "key": "private.pem"}},
    )
    assert code == 0, result
    return Shelf(trees, stores, result, tmp_path / "key.txt", tmp_path / "public.pem")


def strongroom(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "strongroom", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def artifacts(shelf: Shelf, command: str, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    return strongroom("artifacts", command, "shop-1", "--store-path", shelf.stores[0], *words)


def photo(folder: Path) -> bytes:
    (archive,) = folder.rglob("*.tar")
    with tarfile.open(archive) as tar:
        found = tar.extractfile("./photo.jpg")
        assert found is not None
        return found.read()


def test_a_store_alone_is_listed_and_fetched_from_without_any_control_plane(shelf, tmp_path):
    listed = strongroom("artifacts", "list", "--store-path", shelf.stores[0])
    assert "shop-1" in listed.stdout, listed.stderr
    target = tmp_path / "back"
    words = ("--plain", "--decrypt-with", shelf.key, "--trust", shelf.public, "--to", target)
    done = artifacts(shelf, "fetch", *words)
    assert done.returncode == 0, done.stderr
    assert photo(target) == (shelf.trees.root / "photo.jpg").read_bytes()
    assert [path.stat().st_mode & 0o077 for path in target.rglob("*.tar")] == [0]
    again = artifacts(shelf, "fetch", "--to", target)
    assert again.returncode == 0, again.stderr
    assert next(target.rglob("*.age")).read_bytes() == shelf.file(0).read_bytes()


def test_a_store_may_be_named_by_its_manifest(shelf, tmp_path):
    manifest = tmp_path / "store.yaml"
    spec = f"spec: {{local: {{path: {shelf.stores[1]}}}}}"
    manifest.write_text(f"kind: BackupStore\nmetadata: {{name: far}}\n{spec}\n")
    done = strongroom("artifacts", "verify", "shop-1", "--store-file", manifest)
    assert (done.returncode, "far: good" in done.stdout) == (0, True), done.stdout + done.stderr
    manifest.write_text("kind: BackupPolicy")
    wrong = strongroom("artifacts", "verify", "shop-1", "--store-file", manifest)
    assert (wrong.returncode, "holds 0 BackupStores" in wrong.stderr) == (1, True), wrong.stderr


def test_a_damaged_file_is_neither_fetched_nor_called_good(shelf, tmp_path):
    good = artifacts(shelf, "verify", "--decrypt-with", shelf.key, "--trust", shelf.public)
    assert (good.returncode, "stored and plain bytes" in good.stdout) == (0, True), good.stdout + good.stderr
    sealed = artifacts(shelf, "verify")
    assert (sealed.returncode, "give --decrypt-with" in sealed.stdout) == (0, True), (
        sealed.stdout + sealed.stderr
    )
    shelf.damage(0)
    bad = artifacts(shelf, "verify")
    assert (bad.returncode, "BAD: VerificationFailed" in bad.stdout) == (1, True), bad.stdout + bad.stderr
    fetched = artifacts(shelf, "fetch", "--to", tmp_path / "back")
    assert (fetched.returncode, "ArtifactCorrupt" in fetched.stderr) == (1, True), fetched.stderr
    assert [path for path in (tmp_path / "back").rglob("*") if path.is_file()] == []


def test_a_strange_key_or_signature_is_refused_and_nothing_is_left(shelf, tmp_path):
    strange = tmp_path / "strange.pem"
    strange.write_bytes(PrivateKey.generate().public.pem())
    refused = artifacts(shelf, "fetch", "--trust", strange, "--to", tmp_path / "back")
    assert (refused.returncode, "ManifestUntrusted" in refused.stderr) == (1, True), refused.stderr
    wrong = tmp_path / "wrong.txt"
    wrong.write_text(stock.age_pair().private)
    locked = artifacts(shelf, "fetch", "--plain", "--decrypt-with", wrong, "--to", tmp_path / "back")
    assert (locked.returncode, "KeyUnusable" in locked.stderr) == (1, True), locked.stderr
    assert list((tmp_path / "back").rglob("*.tar")) == []


def test_what_is_there_already_and_differs_is_not_overwritten(shelf, tmp_path):
    target = tmp_path / "back" / shelf.result.artifacts[0].file
    target.parent.mkdir(parents=True)
    target.write_text("mine")
    done = artifacts(shelf, "fetch", "--to", tmp_path / "back")
    assert (done.returncode, "TargetExists" in done.stderr) == (1, True), done.stderr
    assert target.read_text() == "mine"


def run_of(shelf: Shelf) -> dict[str, Any]:
    told = shelf.result.to_api()
    taken = ("recoveryPoint", "artifacts", "copies", "manifestSha256")
    return {"status": {"phase": "Succeeded"} | {name: told[name] for name in taken}}


async def tell(api: EmbeddedApi, shelf: Shelf) -> None:
    """The control plane knows the run and its stores."""
    async with connect(api.admin) as client:
        for path in shelf.stores:
            body = {"metadata": {"name": path.name}, "spec": {"local": {"path": str(path)}}}
            await client.create(STORES, "default", body)
        await client.create(RUNS, "default", {"metadata": {"name": "shop-1"}, "spec": {"policy": "shop"}})
        await client.patch(RUNS, "default", "shop-1", run_of(shelf), subresource="status")
        await client.ensure(SECRETS, "default", {"metadata": {"name": "other"}, "stringData": {"a": "b"}})


async def test_the_next_good_copy_is_fetched_and_each_is_verified_on_its_own(shelf, tmp_path):
    with served(tmp_path / "api") as api:
        await tell(api, shelf)
        shelf.damage(0)
        access = ("--kubeconfig", api.admin)
        done = strongroom("artifacts", "fetch", "shop-1", "--to", tmp_path / "back", *access)
        assert done.returncode == 0, done.stderr
        assert "store near: ArtifactCorrupt" in done.stderr
        assert next((tmp_path / "back").rglob("*.age")).read_bytes() == shelf.file(1).read_bytes()
        both = strongroom("artifacts", "verify", "shop-1", *access)
        assert both.returncode == 1
        assert "near: BAD" in both.stdout
        assert "far: good" in both.stdout
        assert "1 of 2 copies are good" in both.stdout
        one = strongroom("artifacts", "verify", "shop-1", "--store", "far", *access)
        assert one.returncode == 0, one.stdout + one.stderr
        manifest = shelf.file(1).with_name("manifest.json")
        manifest.chmod(0o600)
        manifest.write_text(manifest.read_text().replace('"reason": "Manual"', '"reason": "Safety"'))
        changed = strongroom("artifacts", "verify", "shop-1", "--store", "far", *access)
        assert (changed.returncode, "ManifestUntrusted" in changed.stdout) == (1, True), changed.stdout
        listed = strongroom("artifacts", "list", *access)
        assert "near, far" in listed.stdout
        nowhere = strongroom("artifacts", "fetch", "shop-1", "--store", "cellar", *access)
        assert "has no copy in cellar; it has: near, far" in nowhere.stderr
