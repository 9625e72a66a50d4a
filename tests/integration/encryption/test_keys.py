"""Keys that do not fit are refused before anything is read, with the policy's field and without a word of a secret."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.keys.stock import GpgRing, age_pair, gpg_ring, ssh_pair

from strongroom.api.encryption import Encryption
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import SecretKeyReference
from strongroom.pipeline.encryption.building import build_cipher

LONG_AGO = ("--faked-system-time", "20200101T000000")
VERIFICATION = "encryption.verificationKeySecret"


@pytest.fixture(scope="module")
def ring() -> Iterator[GpgRing]:
    with gpg_ring() as made:
        yield made


def build(scratch: Path, spec: dict[str, Any], **values: str) -> Any:
    """The cipher of a spec whose references are `{"name": …, "key": "key"}`, with the Secrets of those names."""

    def read(reference: SecretKeyReference, _field: str) -> bytes:
        return values[reference.name].encode()

    return build_cipher(Encryption.model_validate(spec), read, scratch)


def refusal(scratch: Path, spec: dict[str, Any], **values: str) -> str:
    """The text of a KeyUnusable, in which no value shows."""
    with pytest.raises(StrongroomError) as caught:
        build(scratch, spec, **values)
    assert caught.value.reason is Reason.KeyUnusable
    for value in values.values():
        assert all(line not in caught.value.message for line in value.splitlines() if line)
    return caught.value.message


def reference(name: str) -> dict[str, str]:
    return {"name": name, "key": "key"}


def gpg(*names: str, **more: Any) -> dict[str, Any]:
    return {"gpg": {"publicKeySecrets": [reference(name) for name in names]}, **more}


def age(*recipients: str) -> dict[str, Any]:
    return {"age": {"recipients": list(recipients)}, "verificationKeySecret": reference("verify")}


def test_a_gpg_key_that_has_expired_is_named(tmp_path: Path, ring: GpgRing) -> None:
    good, old = ring.pair("fresh"), ring.pair("expired", *LONG_AGO)
    words = refusal(tmp_path, gpg("good", "old"), good=good.public, old=old.public)
    assert f"encryption.gpg.publicKeySecrets[1]: key {ring.fingerprint('expired')} has expired" in words


def test_a_gpg_key_that_only_signs_is_named(tmp_path: Path, ring: GpgRing) -> None:
    words = refusal(tmp_path, gpg("signer"), signer=ring.pair("signer", usage="sign").public)
    assert f"key {ring.fingerprint('signer')} has no key for encryption" in words


def test_what_is_no_public_gpg_key_is_refused(tmp_path: Path, ring: GpgRing) -> None:
    assert "no OpenPGP key" in refusal(tmp_path, gpg("garbage"), garbage="canary-garbage")
    private = ring.pair("misplaced").private
    assert "[0]: holds a private key" in refusal(tmp_path, gpg("private"), private=private)


def test_a_gpg_key_for_verification_must_be_private_open_and_a_recipients(
    tmp_path: Path, ring: GpgRing
) -> None:
    ours, other = ring.pair("ours"), ring.pair("stranger")
    locked = ring.pair("locked", passphrase="canary-locked")
    spec = gpg("ours", verificationKeySecret=reference("verify"))
    assert "holds no private key" in refusal(tmp_path, spec, ours=ours.public, verify=ours.public)
    assert VERIFICATION in refusal(tmp_path, spec, ours=ours.public, verify=other.private)
    assert VERIFICATION in refusal(tmp_path, spec, ours=locked.public, verify=locked.private)
    assert build(tmp_path, spec, ours=ours.public, verify=ours.private).opens


def test_gpg_leaves_no_agent_behind(tmp_path: Path, ring: GpgRing) -> None:
    pair = ring.pair("passing")
    spec = gpg("ours", verificationKeySecret=reference("verify"))
    assert build(tmp_path, spec, ours=pair.public, verify=pair.private).opens
    homes = [str(home) for home in tmp_path.glob("gpg-*")]
    assert homes
    commands = [" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"])]
    assert [command for command in commands if any(home in command for home in homes)] == []
    assert list(tmp_path.rglob("S.gpg-agent*")) == []
    assert list(tmp_path.rglob("*.lock")) == []


def test_an_age_key_for_verification_must_be_private_open_and_a_recipients(tmp_path: Path) -> None:
    ours, ssh = age_pair(), ssh_pair(tmp_path)
    locked = ssh_pair(tmp_path, passphrase="canary-locked")
    assert "does not open" in refusal(tmp_path, age(ours.public), verify=age_pair().private)
    assert "holds no AGE-SECRET-KEY" in refusal(tmp_path, age(ours.public), verify="# only a comment")
    assert "cannot be read" in refusal(tmp_path, age(ours.public), verify="canary-garbage")
    assert "it has a passphrase" in refusal(tmp_path, age(locked.public), verify=locked.private)
    assert build(tmp_path, age(ours.public, ssh.public), verify=ssh.private).opens


def test_a_private_key_among_the_recipients_is_refused_without_being_told(tmp_path: Path) -> None:
    private = age_pair().private.splitlines()[-1]
    with pytest.raises(StrongroomError) as caught:
        build(tmp_path, {"age": {"recipients": [private]}})
    assert "encryption.age.recipients[0]" in caught.value.message
    assert private[20:40] not in caught.value.message


@pytest.mark.parametrize("kind", ["openssl", "age"])
@pytest.mark.parametrize("passphrase", ["", "\n", "two\nlines", "canary\0nul", "canary" * 200])
def test_a_passphrase_that_is_not_one_line_is_refused(tmp_path: Path, passphrase: str, kind: str) -> None:
    words = refusal(tmp_path, {kind: {"passphraseSecret": reference("pass")}}, **{"pass": passphrase})
    assert f"encryption.{kind}.passphraseSecret" in words


@pytest.mark.parametrize("kind", ["gpg", "openssl"])
def test_a_program_that_is_missing_is_named(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    spec = {"gpg": gpg("key"), "openssl": {"openssl": {"passphraseSecret": reference("key")}}}[kind]
    with pytest.raises(StrongroomError) as caught:
        build(tmp_path, spec, key="canary")
    assert caught.value.reason is Reason.ClientMissing
    assert kind in caught.value.message
