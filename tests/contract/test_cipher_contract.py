"""Every kind of encryption keeps the contract of strongroom.pipeline.encryption.ciphers, and is understood by its stock tool."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.keys.stock import PASSPHRASE, GpgRing, KeyPair, age_pair, converse, gpg_ring, run, ssh_pair

from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.encrypting import DecryptedStream, EncryptingSink
from strongroom.pipeline.encryption.age import AgeCipher, parse_identities
from strongroom.pipeline.encryption.agepassphrase import AgePassphraseCipher
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.pipeline.encryption.gpg import GpgCipher
from strongroom.pipeline.encryption.openssl import OpensslCipher
from strongroom.pipeline.pipes import Abandonment
from strongroom.pipeline.reading import pump
from strongroom.pipeline.sinks import CHUNK_BYTES

ITERATIONS = 10_000
WORK_FACTOR = 10
SALT = bytes(range(16))
CONTENT = os.urandom(3 * CHUNK_BYTES + 7)


@dataclass(frozen=True)
class Kind:
    """One to be tested: a cipher that opens, a cipher with a strange key, and the stock tool both ways."""

    cipher: Cipher
    strange: Cipher
    secrets: list[str]
    decrypt: Callable[[bytes], bytes]
    encrypt: Callable[[bytes], bytes]


@pytest.fixture(scope="session")
def ring() -> Iterator[GpgRing]:
    with gpg_ring() as made:
        yield made


def age_kind(folder: Path, pair: KeyPair) -> Kind:
    key = folder / "key.txt"
    key.write_text(pair.private)
    key.chmod(0o600)
    others = [age_pair().public, ssh_pair(folder).public, ssh_pair(folder, "rsa").public]
    return Kind(
        cipher=AgeCipher([*others, pair.public], parse_identities(pair.private, "field")),
        strange=AgeCipher([pair.public], parse_identities(age_pair().private, "field")),
        secrets=[line for line in pair.private.splitlines() if not line.startswith(("#", "---"))],
        decrypt=lambda stored: run("age", "--decrypt", "--identity", key, stdin=stored),
        encrypt=lambda plain: run("age", "--recipient", pair.public, stdin=plain),
    )


def gpg_kind(folder: Path, ring: GpgRing) -> Kind:
    names = [f"{name}{os.urandom(4).hex()}" for name in ("one", "two", "other")]
    one, two, other = [ring.pair(name) for name in names]
    public = [("field", pair.public.encode()) for pair in (one, two)]
    deep = folder / ("deep" * 25)  # longer than a socket's path may be
    deep.mkdir()
    return Kind(
        cipher=GpgCipher(deep, public, ("field", two.private.encode())),
        strange=GpgCipher(folder, public, ("field", other.private.encode())),
        secrets=[two.private.splitlines()[3]],
        decrypt=lambda stored: ring.gpg("--decrypt", stdin=stored),
        encrypt=lambda plain: ring.gpg(
            "--trust-model", "always", "--recipient", f"{names[1]}@example.com", "--encrypt", stdin=plain
        ),
    )


def passphrase_kind(folder: Path) -> Kind:
    """The stock program asks a terminal, and gives it no more than a file's name to read and write."""

    def stock(way: str, content: bytes) -> bytes:
        source, target = [folder / f"{os.urandom(8).hex()}" for _ in range(2)]
        source.write_bytes(content)
        code, said = converse(PASSPHRASE, ["age", way, "--output", target, source])
        assert code == 0, said
        return target.read_bytes()

    return Kind(
        cipher=AgePassphraseCipher(f"{PASSPHRASE}\n".encode(), work_factor=WORK_FACTOR),
        strange=AgePassphraseCipher(b"another", work_factor=WORK_FACTOR),
        secrets=[PASSPHRASE],
        decrypt=lambda stored: stock("--decrypt", stored),
        encrypt=lambda plain: stock("--passphrase", plain),
    )


def openssl_kind(folder: Path) -> Kind:
    file = folder / "passphrase"
    file.write_text(PASSPHRASE)
    stock = ["enc", "-aes-256-cbc", "-pbkdf2", "-iter", str(ITERATIONS), "-pass", f"file:{file}"]
    return Kind(
        cipher=OpensslCipher(f"{PASSPHRASE}\n".encode(), ITERATIONS, SALT),
        strange=OpensslCipher(b"another", ITERATIONS, SALT),
        secrets=[PASSPHRASE],
        decrypt=lambda stored: run("openssl", *stock, "-d", stdin=stored),
        encrypt=lambda plain: run("openssl", *stock, "-salt", stdin=plain),
    )


@pytest.fixture(scope="module", params=["age", "age-ssh", "age-rsa", "age-passphrase", "gpg", "openssl"])
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kind:
    folder = tmp_path_factory.mktemp("kind")
    if request.param == "gpg":
        return gpg_kind(folder, request.getfixturevalue("ring"))
    if request.param == "age-passphrase":
        return passphrase_kind(folder)
    if request.param == "openssl":
        return openssl_kind(folder)
    pairs = {"age": age_pair, "age-ssh": lambda: ssh_pair(folder), "age-rsa": lambda: ssh_pair(folder, "rsa")}
    return age_kind(folder, pairs[request.param]())


class Memory:
    """A sink, and a stream of what it took."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)

    def write(self, chunk: bytes) -> None:
        self.content += chunk

    def readinto(self, buffer: memoryview) -> int:
        chunk = bytes(self.content[: len(buffer)])
        buffer[: len(chunk)] = chunk
        del self.content[: len(chunk)]
        return len(chunk)


class Endless:
    """A stream that never ends."""

    read_bytes = 0

    def readinto(self, buffer: memoryview) -> int:
        self.read_bytes += len(buffer)
        return len(buffer)


class Full:
    """A sink that takes so many bytes and then fails."""

    def __init__(self, limit: int) -> None:
        self.room = limit

    def write(self, chunk: bytes) -> None:
        self.room -= len(chunk)
        if self.room < 0:
            raise StrongroomError(Reason.StoreFull, "no space is left")


class Breaking(Memory):
    """A stream that fails before its end."""

    def readinto(self, buffer: memoryview) -> int:
        if len(self.content) <= CHUNK_BYTES:
            raise StrongroomError(Reason.StoreFailed, "the medium fails")
        return super().readinto(buffer)


def encrypted(cipher: Cipher, content: bytes) -> bytes:
    stored = Memory()
    with EncryptingSink(cipher, stored) as sink:
        for start in range(0, len(content), 300_000):
            sink.write(content[start : start + 300_000])
        sink.finish()
    return bytes(stored.content)


def decrypted(cipher: Cipher, content: bytes) -> bytes:
    plain = Memory()
    with DecryptedStream(cipher, Memory(content)) as stream:
        pump(stream, plain)
    return bytes(plain.content)


@pytest.mark.parametrize("size", [1, 16, 65_536, len(CONTENT)])
def test_the_stock_tool_opens_what_was_encrypted(kind: Kind, size: int) -> None:
    assert kind.decrypt(encrypted(kind.cipher, CONTENT[:size])) == CONTENT[:size]


def test_what_it_or_the_stock_tool_has_encrypted_is_decrypted(kind: Kind) -> None:
    assert kind.cipher.opens
    assert decrypted(kind.cipher, encrypted(kind.cipher, CONTENT)) == CONTENT
    assert decrypted(kind.cipher, kind.encrypt(CONTENT)) == CONTENT


def test_two_streams_of_the_same_content_differ(kind: Kind) -> None:
    assert encrypted(kind.cipher, b"same") != encrypted(kind.cipher, b"same")


def is_refused(cipher: Cipher, stored: bytes, tag: str | None) -> bool:
    """Whether tampering shows: to the cipher itself, or by its authentication."""
    if cipher.authentication is not None:
        authenticator = cipher.authentication.with_salt(SALT).start()
        authenticator.write(stored)
        return not authenticator.accepts(tag or "")
    try:
        decrypted(cipher, stored)
    except StrongroomError as error:
        return error.reason in {Reason.ArtifactCorrupt, Reason.KeyUnusable}
    return False


def tag_of(cipher: Cipher, stored: bytes) -> str | None:
    if cipher.authentication is None:
        return None
    authenticator = cipher.authentication.start()
    authenticator.write(stored)
    return authenticator.tag()


def test_every_flip_cut_and_addition_shows(kind: Kind) -> None:
    stored = encrypted(kind.cipher, CONTENT[:100_000])
    tag = tag_of(kind.cipher, stored)
    assert not is_refused(kind.cipher, stored, tag)
    broken = [stored[:length] for length in (0, 1, len(stored) // 2, len(stored) - 1)] + [stored + b"x"]
    for position in (len(stored) // 3, len(stored) // 2, len(stored) - 1):
        flipped = bytearray(stored)
        flipped[position] ^= 1
        broken.append(bytes(flipped))
    assert [place for place, each in enumerate(broken) if not is_refused(kind.cipher, each, tag)] == []


@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_what_is_cut_between_two_chunks_shows(kind: Kind, chunks: int) -> None:
    stored = encrypted(kind.cipher, CONTENT[: chunks * 65_536])
    assert decrypted(kind.cipher, stored) == CONTENT[: chunks * 65_536]
    cuts = [stored[: -65_552 * count] for count in range(1, chunks + 1)]  # those of age: 64 KiB and a tag
    tag = tag_of(kind.cipher, stored)
    assert [place for place, cut in enumerate(cuts) if not is_refused(kind.cipher, cut, tag)] == []


def test_a_strange_key_opens_nothing(kind: Kind) -> None:
    stored = encrypted(kind.cipher, CONTENT[:1000])
    found, reason = b"", None
    try:
        found = decrypted(kind.strange, stored)
    except StrongroomError as error:
        reason = error.reason
    # openssl takes one wrong passphrase in 256 for the right one, and gives other bytes.
    expected = {None, Reason.ArtifactCorrupt} if kind.cipher.kind == "openssl" else {Reason.KeyUnusable}
    assert reason in expected
    assert found != CONTENT[:1000]


def test_what_is_said_of_it_holds_no_secret(kind: Kind) -> None:
    said = kind.cipher.describe().model_dump_json() + repr(kind.cipher) + repr(kind.cipher.authentication)
    assert all(secret not in said for secret in kind.secrets)


def left_over() -> tuple[list[str], list[str]]:
    """Our threads and our children, in words."""
    threads = [
        each.name
        for each in threading.enumerate()
        if each.name in {"encrypting", "decrypting", "feeding", "stderr"}
    ]
    return threads, [each.name() for each in psutil.Process().children(recursive=True)]


def test_a_sink_that_fails_ends_the_encryption_with_its_own_error(kind: Kind) -> None:
    before = left_over()
    full = Full(CHUNK_BYTES)
    with pytest.raises(StrongroomError) as caught, EncryptingSink(kind.cipher, full) as sink:
        pump(Endless(), sink)
    assert caught.value.reason is Reason.StoreFull
    assert left_over() == before


def test_a_medium_that_fails_ends_the_decryption_with_its_own_error(kind: Kind) -> None:
    before = left_over()
    medium = Breaking(encrypted(kind.cipher, CONTENT))
    with pytest.raises(StrongroomError) as caught, DecryptedStream(kind.cipher, medium) as stream:
        pump(stream)
    assert caught.value.reason is Reason.StoreFailed
    assert left_over() == before


def test_leaving_in_the_middle_ends_threads_and_programs(kind: Kind) -> None:
    before = left_over()
    stored = Memory()
    with EncryptingSink(kind.cipher, stored) as sink:
        sink.write(CONTENT)
    with DecryptedStream(kind.cipher, Memory(kind.encrypt(CONTENT))) as stream:
        assert stream.readinto(memoryview(bytearray(10))) == 10
    assert left_over() == before


def test_only_a_few_mebibytes_are_read_ahead_of_what_is_stored(kind: Kind) -> None:
    endless, full = Endless(), Full(8 * CHUNK_BYTES)
    with pytest.raises(StrongroomError):
        kind.cipher.encrypt(endless, full, Abandonment())
    assert endless.read_bytes <= 16 * CHUNK_BYTES
