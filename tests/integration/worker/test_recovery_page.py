"""The commands of docs/recovery-without-strongroom.md, taken from the page and run on real artifacts of every kind."""

import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.worker.workshop import Workshop
from tests.keys.stock import PASSPHRASE, GpgRing, age_pair, converse, gpg_ring
from tests.ssh.server import PLACE, USER, SshServer
from tests.ssh.stores import ssh_spec, write_login

from strongroom.pipeline.signing import PrivateKey

PAGE = (Path(__file__).resolve().parents[3] / "docs/recovery-without-strongroom.md").read_text()
PLAIN = re.findall(r"^### ([^:\n]+), ([^:\n]+): [^\n]*\n\n```sh\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
CODECS = {"zstd": "zstd", "gzip": "gzip", "no codec": "none"}
ITERATIONS = 10_000


def block(name: str) -> str:
    """The block that begins with a comment of that name."""
    (found,) = re.findall(rf"```sh\n# {name}\n(.*?)```", PAGE, re.DOTALL)
    return found


@dataclass(frozen=True)
class Desk:
    """Where somebody recovers: a folder with the keys, and the names that the page speaks of."""

    folder: Path
    environment: dict[str, str]

    def run(self, script: str, **names: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment | {name: str(value) for name, value in names.items()},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def says(self, script: str, **names: Any) -> str:
        done = self.run(script, **names)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def ring() -> Iterator[GpgRing]:
    with gpg_ring() as made:
        yield made


@pytest.fixture
def desk(tmp_path: Path, workshop: Workshop, ring: GpgRing) -> Desk:
    folder = tmp_path / "desk"
    folder.mkdir()
    environment = workshop.server.environment("postgres") | {
        "PATH": os.environ["PATH"],
        "GNUPGHOME": str(ring.home),
    }
    return Desk(folder, environment | {"ITERATIONS": str(ITERATIONS), "KEY": str(folder / "key.txt")})


def encryption(kind: str, workshop: Workshop, desk: Desk, ring: GpgRing) -> dict[str, Any] | None:
    """The spec, with its private half on the desk and its public one where the policy finds it."""
    if kind == "age":
        pair = age_pair()
        Path(desk.environment["KEY"]).write_text(pair.private)
        return {"age": {"recipients": [pair.public]}}
    if kind == "gpg":
        workshop.write_secret("public", "key", ring.pair(f"recovery{secrets.token_hex(4)}").public)
        return {"gpg": {"publicKeySecrets": [{"name": "public", "key": "key"}]}}
    if kind == "openssl":
        workshop.write_secret("pass", "key", PASSPHRASE)
        Path(desk.environment["KEY"]).write_text(f"{PASSPHRASE}\n")
        return {"openssl": {"passphraseSecret": {"name": "pass", "key": "key"}, "iterations": ITERATIONS}}
    return None


def back_up(workshop: Workshop, codec: str, sealed: dict[str, Any] | None) -> Path:
    """A recovery point of a database and a tree: its folder."""
    tree = workshop.folder / "tree"
    tree.mkdir()
    (tree / "photo.jpg").write_bytes(os.urandom(100_000))
    sources = [
        {"name": "database", "postgres": workshop.source(globals=True)},
        {"name": "media", "files": {"path": str(tree)}},
    ]
    order = workshop.order(sources=sources, compression={"codec": codec}, encryption=sealed)
    return workshop.store / str(workshop.succeed(order).result.recovery_point)


def test_the_page_has_every_codec_with_every_encryption() -> None:
    kinds = {(codec, kind) for codec, kind, _ in PLAIN}
    assert kinds == {(codec, kind) for codec in CODECS for kind in ("in the clear", "age", "gpg", "openssl")}


@pytest.mark.parametrize(
    ("codec", "kind", "command"), PLAIN, ids=[f"{kind}, {codec}" for codec, kind, _ in PLAIN]
)
def test_the_pages_commands_bring_back_what_was_backed_up(
    workshop: Workshop, desk: Desk, ring: GpgRing, codec: str, kind: str, command: str
) -> None:
    point = back_up(workshop, CODECS[codec], encryption(kind, workshop, desk, ring))
    (dump,) = point.glob("database.shop.dump*")
    assert desk.says(block("whole"), FILE=dump) == "whole\n"
    if kind == "openssl":
        assert desk.says(block("authentic"), FILE=dump) == "authentic\n"
    desk.says(command, FILE=dump)
    assert "TABLE DATA" in desk.says(block("list"))
    new = f"recovered_{secrets.token_hex(4)}"
    desk.says(block("restore"), NEW=new)
    try:
        assert workshop.server.content_hashes(new) == workshop.server.content_hashes("shop")
    finally:
        workshop.server.drop_database(new)
    (archive,) = point.glob("media*")
    desk.says(command, FILE=archive)
    desk.says(block("extract"))
    (photo,) = (desk.folder / "restored").rglob("photo.jpg")
    assert photo.read_bytes() == (workshop.folder / "tree/photo.jpg").read_bytes()


@pytest.mark.parametrize("kind", ["age", "gpg", "openssl"])
def test_the_pages_commands_refuse_a_file_that_was_changed(
    workshop: Workshop, desk: Desk, ring: GpgRing, kind: str
) -> None:
    point = back_up(workshop, "none", encryption(kind, workshop, desk, ring))
    (dump,) = point.glob("database.shop.dump*")
    flipped = bytearray(dump.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    dump.chmod(0o600)
    dump.write_bytes(flipped)
    assert desk.run(block("whole"), FILE=dump).returncode != 0
    command = next(command for codec, sealed, command in PLAIN if (codec, sealed) == ("no codec", kind))
    refusing = block("authentic") if kind == "openssl" else command
    assert desk.run(refusing, FILE=dump).returncode != 0


def test_the_pages_command_for_a_passphrase_asks_for_it_and_no_word_of_ours_tells_it(
    workshop: Workshop, desk: Desk
) -> None:
    workshop.write_secret("pass", "key", f"{PASSPHRASE}\n")
    finished = workshop.succeed(
        workshop.order(encryption={"age": {"passphraseSecret": {"name": "pass", "key": "key"}}})
    )
    assert finished.artifact.verification.read_back_to == "Plain"
    manifest = workshop.manifest(finished)
    assert manifest.encryption is not None
    assert manifest.encryption.opened_by == finished.artifact.opened_by == "Passphrase"
    said = finished.stdout + finished.stderr + finished.result.model_dump_json() + manifest.model_dump_json()
    assert PASSPHRASE not in said
    script = f"cd '{desk.folder}'; {block('passphrase')}"
    names = desk.environment | {"FILE": str(workshop.artifact_path(finished))}
    code, answer = converse(PASSPHRASE, ["bash", "-eu", "-o", "pipefail", "-c", script], names)
    assert code == 0, answer
    assert "TABLE DATA" in desk.says(block("list"))
    code, answer = converse("another", ["bash", "-eu", "-o", "pipefail", "-c", script], names)
    assert (code, "incorrect passphrase" in answer) == (1, True)


def test_the_pages_commands_tell_a_signed_manifest_from_one_that_was_changed_or_moved(
    workshop: Workshop, desk: Desk
) -> None:
    key = PrivateKey.generate()
    workshop.write_secret("signing", "private.pem", key.pem().decode())
    (desk.folder / "public.pem").write_bytes(key.public.pem())
    desk.environment["PUBLIC"] = str(desk.folder / "public.pem")
    signing = {"privateKeySecret": {"name": "signing", "key": "private.pem"}}
    first, second = [
        workshop.store / str(workshop.succeed(workshop.order(run, signing=signing)).result.recovery_point)
        for run in ("first", "second")
    ]
    signed_by = f'"signedBy": "{desk.says(block("key id")).strip()}"'
    assert signed_by in (first / "manifest.json").read_text()
    assert desk.says(block("signed"), FILE=first / "x").endswith("in its place\n")
    for name in ("manifest.json", "manifest.json.sig"):
        (second / name).chmod(0o600)
        (second / name).write_bytes((first / name).read_bytes())
    moved = desk.run(block("signed"), FILE=second / "x")
    assert (moved.returncode, "Verified Successfully" in moved.stdout) == (1, True)
    (second / "manifest.json").write_bytes((first / "manifest.json").read_bytes() + b" ")
    assert "Verified Successfully" not in desk.run(block("signed"), FILE=second / "x").stdout


def test_the_roles_of_the_page_are_those_of_the_server(workshop: Workshop, desk: Desk, ring: GpgRing) -> None:
    point = back_up(workshop, "zstd", None)
    (roles,) = point.glob("*globals.sql.zst")
    desk.says(
        next(command for codec, kind, command in PLAIN if (codec, kind) == ("zstd", "in the clear")),
        FILE=roles,
    )
    assert "CREATE ROLE" in (desk.folder / "plain").read_text()
    assert "already exists" in desk.run(block("roles")).stderr


@pytest.mark.parametrize("way", ["sftp", "scp", "rsync"])
def test_the_pages_commands_fetch_a_recovery_point_from_a_server(
    workshop: Workshop, desk: Desk, ssh_server: SshServer, way: str
) -> None:
    write_login(workshop.folder / "secrets", ssh_server)
    folder = ssh_server.make_folder()
    spec = ssh_spec("sftp", ssh_server, folder)
    finished = workshop.succeed(workshop.order(stores=[{"name": "far", "spec": spec}]))
    (desk.folder / "identity").write_text(ssh_server.private_key())
    (desk.folder / "identity").chmod(0o600)
    place = {"HOST": "127.0.0.1", "PORT": ssh_server.port, "LOGIN": USER, "HOST_KEY": ssh_server.host_key()}
    desk.says(block("server"), IDENTITY=desk.folder / "identity", **place)
    desk.says(block(way), POINT=f"{PLACE}/{folder}/{finished.result.recovery_point}")
    (dump,) = desk.folder.rglob("database.shop.dump.zst")
    assert desk.says(block("whole"), FILE=dump) == "whole\n"
