"""Keys and signatures are those of the stock openssl, and keys that cannot be used are refused by the field's name."""

import subprocess
from pathlib import Path

import pytest

from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.signing import (
    PrivateKey,
    parse_keys,
    parse_private_key,
    parse_public_keys,
)

MESSAGE = b'{"format": "strongroom.dev/manifest/v1"}'


def openssl(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_stock_openssl_verifies_what_was_signed_and_refuses_other_bytes(tmp_path: Path) -> None:
    key = PrivateKey.generate()
    files = {"public.pem": key.public.pem(), "message": MESSAGE, "signature": key.sign(MESSAGE)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin", "-in", "message"]
    verify += ["-sigfile", "signature"]
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "message").write_bytes(MESSAGE + b" ")
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_a_key_that_stock_openssl_has_made_signs_and_bears_the_same_id() -> None:
    made = openssl("genpkey", "-algorithm", "ed25519")
    public = openssl("pkey", "-pubout", stdin=made)
    key = parse_private_key(made, "field")
    assert key.public.pem() == public
    (found,) = parse_public_keys(public, "field")
    assert found.key_id == key.public.key_id
    assert found.accepts(MESSAGE, key.sign(MESSAGE))
    assert not PrivateKey.generate().public.accepts(MESSAGE, key.sign(MESSAGE))


def test_several_public_keys_stand_one_after_the_other_with_words_between() -> None:
    keys = [PrivateKey.generate() for _ in range(3)]
    text = b"\n".join(b"# key of " + key.public.key_id.encode() + b"\n" + key.public.pem() for key in keys)
    assert [key.key_id for key in parse_public_keys(text, "f")] == [key.public.key_id for key in keys]
    mixed = keys[0].pem() + keys[1].public.pem()
    assert [key.key_id for key in parse_keys(mixed, "f")] == [key.public.key_id for key in keys[:2]]


GOOD = PrivateKey.generate()
RSA = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
LOCKED = openssl("pkey", "-aes256", "-passout", "pass:canary", stdin=GOOD.pem())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no PEM file"),
        (b"canary", "no PEM file"),
        (GOOD.pem()[:-30], "part of it is missing"),
        (GOOD.public.pem(), "is a public key"),
        (GOOD.pem() * 2, "holds 2 keys"),
        (RSA, "another kind than Ed25519"),
        (LOCKED, "has a passphrase"),
        (GOOD.pem().replace(b"MC4C", b"AAAA"), "cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # keys differ from process to process
)
def test_a_private_key_that_cannot_sign_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(StrongroomError) as caught:
        parse_private_key(content, "signing.privateKeySecret")
    assert caught.value.reason is Reason.KeyUnusable
    assert caught.value.message.startswith("signing.privateKeySecret: ")
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"canary", "no PEM file"),
        (GOOD.pem(), "key 1 is no public key"),
        (GOOD.public.pem() + openssl("pkey", "-pubout", stdin=RSA), "key 2 is of another kind"),
        (GOOD.public.pem() + GOOD.public.pem()[:60], "part of it is missing"),
        (GOOD.public.pem().replace(b"MCow", b"AAAA"), "key 1 cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_public_keys_that_cannot_verify_are_refused(content: bytes, words: str) -> None:
    with pytest.raises(StrongroomError) as caught:
        parse_public_keys(content, "field")
    assert caught.value.reason is Reason.KeyUnusable
    assert words in caught.value.message


def test_no_key_shows_in_what_is_said_of_it() -> None:
    assert GOOD.pem().splitlines()[1].decode() not in repr(GOOD)
