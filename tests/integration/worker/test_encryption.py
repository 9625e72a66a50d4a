"""What a backup leaves in the store is unreadable without a key, opens with the stock tool, and is proved as far as keys allow."""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.integration.worker.workshop import Finished, Workshop
from tests.keys.stock import PASSPHRASE, GpgRing, age_pair, gpg_ring, run

from strongroom.api.manifest import Manifest

ITERATIONS = 10_000


@dataclass(frozen=True)
class Sealed:
    """One kind: its spec, the Secrets that it names, and the stock tool that opens."""

    suffix: str
    spec: dict[str, Any]
    decrypt: Callable[[Path], bytes]
    secrets: dict[str, str] = field(default_factory=dict)
    verify: dict[str, str] = field(default_factory=dict)
    """The Secret that `verifying` adds; the passphrase of openssl is there anyway."""

    def encryption(self, workshop: Workshop, *, verifying: bool = False) -> dict[str, Any]:
        for name, value in (self.secrets | (self.verify if verifying else {})).items():
            workshop.write_secret(name, "key", value)
        more = {"verificationKeySecret": {"name": "verify", "key": "key"}}
        return self.spec | (more if verifying and self.verify else {})

    @property
    def canaries(self) -> list[str]:
        """Lines of secrets that must show nowhere."""
        private = [line for value in self.verify.values() for line in value.splitlines()]
        return [
            PASSPHRASE,
            *(line for line in private if len(line) > 30 and not line.startswith(("#", "---"))),
        ]


@pytest.fixture(scope="module")
def ring() -> Iterator[GpgRing]:
    with gpg_ring() as made:
        yield made


@pytest.fixture(scope="module", params=["age", "gpg", "openssl"])
def sealed(request: pytest.FixtureRequest, ring: GpgRing, tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    folder = tmp_path_factory.mktemp("keys")
    return {"age": age, "gpg": lambda folder: gpg(ring), "openssl": openssl}[request.param](folder)


def age(folder: Path) -> Sealed:
    pair, key = age_pair(), folder / "key.txt"
    key.write_text(pair.private)
    spec = {"age": {"recipients": [age_pair().public, pair.public]}}
    opener = lambda path: run("age", "--decrypt", "--identity", key, path)  # noqa: E731
    return Sealed(".age", spec, opener, verify={"verify": pair.private})


def gpg(ring: GpgRing) -> Sealed:
    name = f"worker{os.urandom(4).hex()}"
    pair = ring.pair(name)
    spec = {"gpg": {"publicKeySecrets": [{"name": "public", "key": "key"}]}}
    return Sealed(
        ".gpg",
        spec,
        lambda path: ring.gpg("--decrypt", str(path)),
        {"public": pair.public},
        {"verify": pair.private},
    )


def openssl(folder: Path) -> Sealed:
    file = folder / "passphrase"
    file.write_text(PASSPHRASE)
    options = ["-aes-256-cbc", "-pbkdf2", "-iter", str(ITERATIONS), "-pass", f"file:{file}"]
    spec = {"openssl": {"passphraseSecret": {"name": "pass", "key": "key"}, "iterations": ITERATIONS}}
    return Sealed(
        ".enc",
        spec,
        lambda path: run("openssl", "enc", "-d", *options, "-in", path),
        {"pass": PASSPHRASE},
    )


def everything_said(workshop: Workshop, finished: Finished) -> str:
    """What the worker wrote anywhere but into the artifacts."""
    manifests = "".join(path.read_text() for path in workshop.store.rglob("manifest.json"))
    return finished.stdout + finished.stderr + finished.result.model_dump_json() + manifests


def test_the_artifact_is_the_dump_behind_the_codec_and_the_stock_tool(
    workshop: Workshop, sealed: Sealed
) -> None:
    finished = workshop.succeed(workshop.order(encryption=sealed.encryption(workshop)))
    path = workshop.artifact_path(finished)
    assert path.name == f"database.shop.dump.zst{sealed.suffix}"
    listing = run("pg_restore", "--list", stdin=run("zstd", "-dc", stdin=sealed.decrypt(path))).decode()
    assert listing.count("TABLE DATA") == finished.artifact.table_count


def test_the_manifest_names_the_keys_and_nothing_tells_a_secret(workshop: Workshop, sealed: Sealed) -> None:
    finished = workshop.succeed(workshop.order(encryption=sealed.encryption(workshop, verifying=True)))
    manifest = workshop.manifest(finished)
    assert manifest.encryption is not None
    assert manifest.encryption.kind == finished.artifact.encryption
    if sealed.suffix == ".enc":
        assert manifest.encryption.iterations == finished.artifact.iterations == ITERATIONS
        assert manifest.files[0].hmac_sha256 is not None
    else:
        assert manifest.encryption.key_ids
        assert manifest.files[0].hmac_sha256 is None
    said = everything_said(workshop, finished)
    assert [line for line in sealed.canaries if line in said] == []


def test_the_proof_says_whether_the_plain_bytes_were_reached(workshop: Workshop, sealed: Sealed) -> None:
    without = workshop.succeed(workshop.order("without", encryption=sealed.encryption(workshop)))
    reached = "Plain" if sealed.suffix == ".enc" else "Stored"
    assert without.artifact.verification.read_back_to == reached
    with_key = workshop.succeed(
        workshop.order("with-key", encryption=sealed.encryption(workshop, verifying=True))
    )
    assert with_key.artifact.verification.read_back_to == "Plain"
    assert with_key.artifact.row_count == without.artifact.row_count


def test_encrypted_recovery_points_are_kept_and_pruned_like_others(
    workshop: Workshop, sealed: Sealed
) -> None:
    encryption = sealed.encryption(workshop)
    for number in range(3):
        order = workshop.order(f"run-{number}", encryption=encryption, retention={"keepLast": 2})
        order["backup"]["slot"] = f"2026-01-0{number + 2}T03:04:05Z"
        finished = workshop.succeed(order)
    assert finished.result.retention[0].deleted_runs == ["run-0"]
    assert [manifest.run for manifest in workshop.manifests()] == ["run-1", "run-2"]
    assert all(path.endswith((sealed.suffix, "manifest.json")) for path in workshop.files())


@pytest.mark.parametrize("verifying", [False, True])
def test_a_committed_run_is_adopted_and_proved_again(
    workshop: Workshop, sealed: Sealed, verifying: bool
) -> None:
    order = workshop.order(encryption=sealed.encryption(workshop, verifying=verifying))
    first = workshop.succeed(order)
    before = workshop.artifact_path(first).read_bytes()
    again = workshop.succeed(order)
    assert again.result.recovery_point == first.result.recovery_point
    assert workshop.artifact_path(again).read_bytes() == before
    flipped = bytearray(before)
    flipped[len(flipped) // 2] ^= 1
    workshop.artifact_path(first).chmod(0o600)
    workshop.artifact_path(first).write_bytes(flipped)
    assert workshop.run(order).result.reason in {"VerificationFailed", "ArtifactCorrupt"}


def rewrite_manifest(path: Path, artifact: Path) -> None:
    """As somebody would who can write to the store and has no passphrase: the digests fit the bytes again."""
    manifest = Manifest.model_validate_json(path.read_bytes())
    digest = run("sha256sum", artifact).decode().split()[0]
    text = path.read_text().replace(manifest.files[0].artifact.stored_sha256, digest)
    path.chmod(0o600)
    path.write_text(text)


@pytest.mark.parametrize("has_salt", [True, False], ids=["with its salt", "robbed of its salt"])
def test_a_file_changed_together_with_its_manifest_is_found_by_the_hmac_alone(
    workshop: Workshop, has_salt: bool
) -> None:
    sealed = openssl(workshop.folder)
    # With codec none a changed block of the dump's data is decrypted without a word.
    order = workshop.order(encryption=sealed.encryption(workshop), compression={"codec": "none"})
    first = workshop.succeed(order)
    artifact = workshop.artifact_path(first)
    flipped = bytearray(artifact.read_bytes())
    flipped[-200] ^= 1
    artifact.chmod(0o600)
    artifact.write_bytes(flipped)
    path = artifact.parent / "manifest.json"
    rewrite_manifest(path, artifact)
    # As if the forger knew what the changed file holds: every digest fits.
    told = json.loads(path.read_text())
    (file,) = [each for each in told["files"] if each["artifact"]["file"] == artifact.name]
    file["artifact"]["plainSha256"] = hashlib.sha256(sealed.decrypt(artifact)).hexdigest()
    if not has_salt:
        del told["encryption"]["authenticationSalt"]
    path.write_text(json.dumps(told))
    finished = workshop.run(order)
    assert (finished.result.outcome, finished.result.reason) == ("Failed", "ArtifactCorrupt")
    assert "HMAC-SHA256" in finished.result.message


def test_a_key_that_does_not_fit_fails_the_run_before_anything_is_read(workshop: Workshop) -> None:
    workshop.write_secret("verify", "key", age_pair().private)
    encryption = {
        "age": {"recipients": [age_pair().public]},
        "verificationKeySecret": {"name": "verify", "key": "key"},
    }
    finished = workshop.run(workshop.order(encryption=encryption))
    assert (finished.result.outcome, finished.result.reason) == ("Failed", "KeyUnusable")
    assert "encryption.verificationKeySecret" in finished.result.message
    assert '"stage":"Dump"' not in finished.stdout
    assert workshop.files() == []


def fake(folder: Path, name: str, script: str) -> Path:
    """A program that is found before the real one, which it has as $REAL."""
    real = run("which", name).decode().strip()
    path = folder / "fakes" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/bash\nREAL={real}\n{script}\n")
    path.chmod(0o755)
    return path.parent


BROKEN = {
    "dies": 'if is_long; then head -c 70000 >/dev/null; echo "canary words" >&2; kill -9 $$; fi',
    "fails after all of its output": 'if is_long; then "$REAL" "$@"; exit 3; fi',
    "ends well and early": 'if is_long; then "$REAL" "$@" | head -c 60000; cat >/dev/null; exit 0; fi',
    "ends well without reading": "if is_long; then exit 0; fi",
}
ONLY_LATER = """
count=$(cat "$0.count" 2>/dev/null || echo 0)
encrypts=no
for word in "$@"; do [[ $word == --encrypt || $word == -e ]] && encrypts=yes; done
[ $encrypts = yes ] && echo $((count + 1)) >"$0.count"
is_long() { [ $encrypts = yes ] && [ "$count" -ge 1 ]; }  # the first time is the rehearsal
"""


@pytest.mark.parametrize("program", ["gpg", "openssl"])
@pytest.mark.parametrize("fault", BROKEN)
def test_a_program_that_fails_or_falls_silent_never_leaves_an_artifact(
    workshop: Workshop, ring: GpgRing, program: str, fault: str
) -> None:
    sealed = gpg(ring) if program == "gpg" else openssl(workshop.folder)
    folder = fake(workshop.folder, program, f'{ONLY_LATER}\n{BROKEN[fault]}\nexec "$REAL" "$@"')
    workshop.environment["PATH"] = f"{folder}:{os.environ['PATH']}"
    finished = workshop.run(
        workshop.order(encryption=sealed.encryption(workshop), compression={"codec": "none"})
    )
    assert finished.result.outcome == "Failed"
    assert finished.result.reason == "EncryptionFailed"
    assert program in finished.result.message
    assert workshop.files() == []


def test_a_program_that_hangs_is_ended_at_the_deadline(workshop: Workshop, ring: GpgRing) -> None:
    sealed = gpg(ring)
    script = f'{ONLY_LATER}\nif is_long; then echo $$ >"$0.pid"; exec sleep 600; fi\nexec "$REAL" "$@"'
    folder = fake(workshop.folder, "gpg", script)
    workshop.environment["PATH"] = f"{folder}:{os.environ['PATH']}"
    finished = workshop.run(workshop.order(encryption=sealed.encryption(workshop), deadlineSeconds=5))
    assert finished.result.reason == "DeadlineExceeded"
    assert workshop.files() == []
    pid = int((folder / "gpg.pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


def words_of_processes(ancestor: int) -> str:
    """Arguments and environments of a process and all below it, as any user of the host could read the former."""
    words, wanted = [], [ancestor]
    while wanted:
        folder = Path("/proc", str(wanted.pop()))
        try:
            words += [
                (folder / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ")
            ]
            wanted += [
                int(child)
                for task in (folder / "task").iterdir()
                for child in (task / "children").read_text().split()
            ]
        except OSError:
            continue  # it has ended meanwhile
    return "\n".join(words)


def test_no_secret_is_in_arguments_or_environment_while_programs_run(
    workshop: Workshop, sealed: Sealed
) -> None:
    process = workshop.start(workshop.order(encryption=sealed.encryption(workshop, verifying=True)))
    seen = ""
    while process.poll() is None:
        seen += words_of_processes(process.pid)
    finished = workshop.finish(process)
    assert finished.result.outcome == "Succeeded"
    assert len(seen) > 1000
    assert [line for line in sealed.canaries if line in seen] == []
    assert workshop.password not in seen


def test_nothing_of_the_keys_stays_in_the_scratch_folder(workshop: Workshop, sealed: Sealed) -> None:
    workshop.succeed(workshop.order(encryption=sealed.encryption(workshop, verifying=True)))
    assert list((workshop.folder / "scratch").iterdir()) == []


def test_a_worker_told_to_stop_while_it_encrypts_leaves_nothing(workshop: Workshop, ring: GpgRing) -> None:
    sealed = gpg(ring)
    script = f'{ONLY_LATER}\nif is_long; then touch "$0.started"; exec sleep 600; fi\nexec "$REAL" "$@"'
    folder = fake(workshop.folder, "gpg", script)
    workshop.environment["PATH"] = f"{folder}:{os.environ['PATH']}"
    process = workshop.start(workshop.order(encryption=sealed.encryption(workshop)))
    until = time.monotonic() + 60
    while not (folder / "gpg.started").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    finished = workshop.finish(process)
    assert finished.result.reason == "Cancelled"
    assert workshop.files() == []
    assert (
        subprocess.run(["pgrep", "-f", str(workshop.folder)], capture_output=True, check=False).stdout == b""
    )
