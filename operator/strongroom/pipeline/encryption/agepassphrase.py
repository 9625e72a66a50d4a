"""age with a passphrase (https://age-encryption.org/v1, "The scrypt recipient type"), as `age --passphrase` makes it.

The library of rage wants the whole content in memory, and the program asks a terminal: hence the format by its
specification, with the primitives of `cryptography`.
"""

import base64
import re
import secrets
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from strongroom.api.encryption import AppliedEncryption, EncryptionKind
from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.encryption.agestreams import decrypt_payload, encrypt_payload, read_fully
from strongroom.pipeline.encryption.passphrases import parse_passphrase
from strongroom.pipeline.pipes import Abandonment
from strongroom.pipeline.sinks import Readable, Sink

FIELD = "encryption.age.passphraseSecret"
_WORK_FACTOR = 17
"""log2 of scrypt's N: 128 MiB for a moment, once a file. `age` itself takes 18."""
_MOST_WORK = 18
"""More than that is not read: the header says it before anything proves the header."""
_LABEL = b"age-encryption.org/v1/scrypt"
_SALT_BYTES = _FILE_KEY_BYTES = _NONCE_BYTES = 16
_ZERO = bytes(12)
_HEADER = re.compile(
    rb"(?P<signed>age-encryption\.org/v1\n"
    rb"-> scrypt (?P<salt>[A-Za-z0-9+/]{22}) (?P<work>[1-9][0-9]?)\n(?P<body>[A-Za-z0-9+/]{43})\n---)"
    rb" (?P<mac>[A-Za-z0-9+/]{43})\n"
)
_LONGEST_LINE = 80


class AgePassphraseCipher:
    """See Cipher. Each file has a salt and a key of its own."""

    kind: EncryptionKind = "age"
    opens = True
    authentication = None

    def __init__(self, passphrase: bytes, field: str = FIELD, work_factor: int = _WORK_FACTOR) -> None:
        """KeyUnusable, with the field's name, for a passphrase that is not one line."""
        self._passphrase = parse_passphrase(passphrase, field)
        self._work_factor = work_factor

    def describe(self) -> AppliedEncryption:
        """See Cipher."""
        return AppliedEncryption(kind="age", opened_by="Passphrase")

    def encrypt(self, plain: Readable, stored: Sink, abandonment: Abandonment) -> None:  # noqa: ARG002 - reader or sink ends it
        """See Cipher."""
        file_key, salt = secrets.token_bytes(_FILE_KEY_BYTES), secrets.token_bytes(_SALT_BYTES)
        body = ChaCha20Poly1305(self._wrapping_key(salt, self._work_factor)).encrypt(_ZERO, file_key, None)
        signed = b"\n".join(
            [
                b"age-encryption.org/v1",
                b"-> scrypt %b %d" % (_encode(salt), self._work_factor),
                _encode(body),
                b"---",
            ]
        )
        mac = _header_mac(file_key, signed).finalize()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        stored.write(signed + b" " + _encode(mac) + b"\n" + nonce)
        encrypt_payload(_payload_key(file_key, nonce), plain, stored)

    def decrypt(self, stored: Readable, plain: Sink, abandonment: Abandonment) -> None:  # noqa: ARG002 - reader or sink ends it
        """See Cipher."""
        header = _Header.read(stored)
        file_key = self._unwrap(header)
        try:
            _header_mac(file_key, header.signed).verify(header.mac)
        except InvalidSignature:
            raise _corrupt("its header was changed") from None
        nonce = read_fully(stored, _NONCE_BYTES)
        if len(nonce) < _NONCE_BYTES:
            raise _corrupt("it ends after its header")
        decrypt_payload(_payload_key(file_key, nonce), stored, plain)

    def _unwrap(self, header: "_Header") -> bytes:
        try:
            return ChaCha20Poly1305(self._wrapping_key(header.salt, header.work_factor)).decrypt(
                _ZERO, header.body, None
            )
        except InvalidTag:
            raise StrongroomError(
                Reason.KeyUnusable, "age cannot decrypt it: the passphrase is another one"
            ) from None

    def _wrapping_key(self, salt: bytes, work_factor: int) -> bytes:
        return Scrypt(salt=_LABEL + salt, length=32, n=1 << work_factor, r=8, p=1).derive(self._passphrase)


@dataclass(frozen=True)
class _Header:
    """What stands before the payload. `signed` is what the MAC is about."""

    signed: bytes
    salt: bytes
    work_factor: int
    body: bytes
    mac: bytes

    @classmethod
    def read(cls, stored: Readable) -> Self:
        """KeyUnusable for a file to public keys, ArtifactCorrupt for what is no age file of version 1."""
        lines: list[bytes] = []
        while len(lines) < 4 and (line := _read_line(stored)):
            lines.append(line)
        found = _HEADER.fullmatch(b"".join(lines))
        if found is None:
            raise _strange(lines)
        work_factor = int(found["work"])
        if work_factor > _MOST_WORK:
            raise _corrupt(f"its passphrase takes more work (2^{work_factor}) than is ever asked for")
        return cls(
            found["signed"],
            _decode(found["salt"]),
            work_factor,
            _decode(found["body"]),
            _decode(found["mac"]),
        )


def _read_line(stored: Readable) -> bytes:
    """With its end; what has none within a header's longest line is returned as far as it was read."""
    line = bytearray()
    while len(line) < _LONGEST_LINE and (byte := read_fully(stored, 1)):
        line += byte
        if byte == b"\n":
            break
    return bytes(line)


def _strange(lines: list[bytes]) -> StrongroomError:
    if lines[:1] == [b"age-encryption.org/v1\n"] and lines[1:] and not lines[1].startswith(b"-> scrypt "):
        return StrongroomError(
            Reason.KeyUnusable, "age cannot decrypt it: it is encrypted to keys, not by a passphrase"
        )
    return _corrupt("it does not begin as an age file with a passphrase does")


def _header_mac(file_key: bytes, signed: bytes) -> hmac.HMAC:
    mac = hmac.HMAC(_derive(file_key, None, b"header"), hashes.SHA256())
    mac.update(signed)
    return mac


def _payload_key(file_key: bytes, nonce: bytes) -> bytes:
    return _derive(file_key, nonce, b"payload")


def _derive(file_key: bytes, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), length=32, salt=salt, info=info).derive(file_key)


def _encode(content: bytes) -> bytes:
    return base64.b64encode(content).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def _corrupt(why: str) -> StrongroomError:
    return StrongroomError(Reason.ArtifactCorrupt, f"age cannot decrypt it: {why}")
