"""age (https://age-encryption.org/v1) by the library of rage, to X25519 and SSH keys."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Protocol

import pyrage

from strongroom.api.encryption import AppliedEncryption, EncryptionKind
from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.pipeline.pipes import Abandonment
from strongroom.pipeline.sinks import CHUNK_BYTES, Chunk, Readable, Sink

_SSH_TYPES = ("ssh-ed25519 ", "ssh-rsa ")


class Recipient(Protocol):
    """A public key as the library has parsed it."""


class Identity(Protocol):
    """A private key as the library has parsed it."""


class AgeCipher:
    """See Cipher. Streams are made of chunks of 64 KiB, each authenticated, the last one marked."""

    kind: EncryptionKind = "age"
    authentication = None

    def __init__(self, recipients: Sequence[str], identities: Sequence[Identity] = ()) -> None:
        """Encrypt to all of these recipients. KeyUnusable with the place of one that the library does not take."""
        self._texts = [text.strip() for text in recipients]
        self._recipients = [_parse_recipient(text, place) for place, text in enumerate(self._texts)]
        self._identities = list(identities)

    @property
    def opens(self) -> bool:
        """See Cipher."""
        return bool(self._identities)

    def describe(self) -> AppliedEncryption:
        """See Cipher."""
        return AppliedEncryption(
            kind="age", opened_by="PrivateKey", key_ids=[_key_id(text) for text in self._texts]
        )

    def encrypt(self, plain: Readable, stored: Sink, abandonment: Abandonment) -> None:  # noqa: ARG002 - reader or sink wakes the library
        """See Cipher."""
        reader, writer = _Reader(plain), _Writer(stored)
        try:
            _run(lambda: pyrage.encrypt_io(reader, writer, self._recipients), reader, writer)
        except (pyrage.EncryptError, OSError) as error:
            raise StrongroomError(Reason.EncryptionFailed, f"age: {excerpt(str(error))}") from error

    def decrypt(self, stored: Readable, plain: Sink, abandonment: Abandonment) -> None:  # noqa: ARG002 - reader or sink wakes the library
        """See Cipher."""
        reader, writer = _Reader(stored), _Writer(plain)
        try:
            _run(lambda: pyrage.decrypt_io(reader, writer, self._identities), reader, writer)
        except (pyrage.DecryptError, OSError) as error:
            reason = Reason.KeyUnusable if "No matching keys" in str(error) else Reason.ArtifactCorrupt
            raise StrongroomError(reason, f"age cannot decrypt it: {excerpt(str(error))}") from error


def parse_identities(text: str, field: str) -> list[Identity]:
    """The private keys of an identity file (age-keygen's lines, or one SSH key). KeyUnusable without a word of its content."""
    try:
        if "PRIVATE KEY" in text:
            return [pyrage.ssh.Identity.from_buffer(text.encode())]
        lines = [line.strip() for line in text.splitlines()]
        identities: list[Identity] = [
            pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")
        ]
    except pyrage.IdentityError as error:
        why = "it has a passphrase" if "decrypted" in str(error) else "it cannot be read"
        raise StrongroomError(
            Reason.KeyUnusable, f"{field}: no private key that age can use: {why}"
        ) from None  # the library's text may quote the key
    if not identities:
        raise StrongroomError(Reason.KeyUnusable, f"{field}: holds no AGE-SECRET-KEY-1… and no SSH key")
    return identities


def _parse_recipient(text: str, place: int) -> Recipient:
    try:
        if text.startswith(_SSH_TYPES):
            return _ssh(text)
        return _x25519(text)
    except pyrage.RecipientError:
        raise StrongroomError(
            Reason.KeyUnusable,
            f"encryption.age.recipients[{place}]: neither an X25519 key (age1…) nor an SSH key (ssh-ed25519, ssh-rsa)",
        ) from None  # somebody may have put a private key there


def _ssh(text: str) -> Recipient:
    recipient: Recipient = pyrage.ssh.Recipient.from_str(text)
    return recipient


def _x25519(text: str) -> Recipient:
    recipient: Recipient = pyrage.x25519.Recipient.from_str(text)
    return recipient


def _key_id(text: str) -> str:
    """The key itself where it is short; an SSH key's fingerprint as ssh-keygen -l writes it."""
    if not text.startswith(_SSH_TYPES):
        return text
    digest = hashlib.sha256(base64.b64decode(text.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class _Reader:
    """`read` as the library wants it, a few KiB at a time. It hides what is raised here in a text; we keep it."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._buffer = memoryview(bytearray(CHUNK_BYTES))
        self._rest = self._buffer[:0]
        self.failure: BaseException | None = None

    def read(self, size: int) -> bytes:
        if not self._rest:
            try:
                self._rest = self._buffer[: self._stream.readinto(self._buffer)]
            except BaseException as error:
                self.failure = error
                raise
        chunk, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return chunk


class _Writer:
    """`write` and `flush` as the library wants them."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.failure: BaseException | None = None

    def write(self, chunk: Chunk) -> int:
        try:
            self._sink.write(chunk)
        except BaseException as error:
            self.failure = error
            raise
        return len(chunk)

    def flush(self) -> None:
        """Nothing is kept here."""


def _run(act: Callable[[], None], reader: _Reader, writer: _Writer) -> None:
    try:
        act()
    except BaseException:
        if (failure := writer.failure or reader.failure) is not None:
            raise failure from None
        raise
