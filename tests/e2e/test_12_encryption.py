"""Story: a policy encrypts to a gpg key, the proof is told, and the line that `artifacts show` prints opens the file."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.conftest import Shop
from tests.e2e.stronghold import Stronghold, condition, policy, run, secret, store
from tests.keys.stock import PASSPHRASE, GpgRing, gpg_ring

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def ring() -> Iterator[GpgRing]:
    with gpg_ring() as made:
        yield made


@pytest.fixture(scope="module")
def private(ring: GpgRing, hold: Stronghold, shop: Shop, store_path: Path) -> str:
    """The private key of a policy that was applied and has run as `sealed-first`."""
    pair = ring.pair("admin")
    encryption = {
        "gpg": {"publicKeySecrets": [{"name": "backup-keys", "key": "admin.asc"}]},
        "verificationKeySecret": {"name": "backup-keys", "key": "private.asc"},
    }
    hold.apply(
        store(store_path),
        secret("shop-db", password=shop.password),
        secret(
            "backup-keys", **{"admin.asc": pair.public, "private.asc": pair.private, "passphrase": PASSPHRASE}
        ),
        policy("sealed", shop.source(), encryption=encryption),
        run("sealed-first", "sealed"),
    )
    return pair.private


def test_the_run_succeeds_and_says_that_it_reached_the_plain_bytes(hold: Stronghold, private: str) -> None:
    finished = hold.finished_run("sealed-first")
    assert finished["status"]["phase"] == "Succeeded", finished["status"]["message"]
    assert {each["encryption"] for each in finished["status"]["artifacts"]} == {"gpg"}
    assert {each["verification"]["readBackTo"] for each in finished["status"]["artifacts"]} == {"Plain"}


def test_the_line_that_is_printed_opens_the_file(hold: Stronghold, private: str, ring: GpgRing) -> None:
    hold.finished_run("sealed-first")
    shown = hold.strongroom("artifacts", "show", "sealed-first").stdout
    assert "encrypted with gpg" in shown
    (line,) = [each for each in shown.splitlines() if "pg_restore" in each]
    done = subprocess.run(
        ["bash", "-c", line],  # pg_restore stops reading where the list ends
        env={"PATH": os.environ["PATH"], "GNUPGHOME": str(ring.home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "TABLE DATA" in done.stdout


def test_no_key_is_in_what_the_control_plane_keeps_and_says(
    hold: Stronghold, private: str, store_path: Path
) -> None:
    hold.finished_run("sealed-first")
    kept = [json.dumps(hold.items(kind)) for kind in ("backupruns", "backuppolicies", "jobs", "events")]
    manifests = [path.read_text() for path in store_path.rglob("manifest.json")]
    said = "\n".join([*kept, *manifests, hold.log])
    lines = [line for line in private.splitlines() if len(line) > 30 and not line.startswith("---")]
    assert lines
    assert [line for line in [*lines, PASSPHRASE] if line in said] == []


def test_openssl_is_taken_with_a_condition_that_it_is_unauthenticated(
    hold: Stronghold, private: str, shop: Shop
) -> None:
    reference = {"name": "backup-keys", "key": "passphrase"}
    hold.apply(
        policy("old-way", shop.source(), encryption={"openssl": {"passphraseSecret": reference}}),
        run("old-way-first", "old-way"),
    )
    assert hold.finished_run("old-way-first")["status"]["phase"] == "Succeeded"
    found = hold.when("backuppolicy", "old-way", "EncryptionUnauthenticated", "True")
    assert condition(found, "EncryptionUnauthenticated")["reason"] == "OpensslEnc"
