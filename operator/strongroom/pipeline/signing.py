"""Ed25519 signatures (RFC 8032) with keys in PEM: PKCS#8 for private ones, SubjectPublicKeyInfo for public ones."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from strongroom.api.errors import Reason, StrongroomError

SIGNATURE_BYTES = 64
_KEY_ID_LENGTH = 16
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_BEGINNING = b"-----BEGIN "
_PUBLIC = b"PUBLIC KEY"


@dataclass(frozen=True)
class PublicKey:
    """What verifies."""

    _key: Ed25519PublicKey = field(repr=False)

    @property
    def key_id(self) -> str:
        """See api.signing.KeyId."""
        return hashlib.sha256(self._key.public_bytes_raw()).hexdigest()[:_KEY_ID_LENGTH]

    def accepts(self, content: bytes, signature: bytes) -> bool:
        """Whether the holder of the private key has signed exactly that content."""
        try:
            self._key.verify(signature, content)
        except InvalidSignature:
            return False
        return True

    def pem(self) -> bytes:
        """As openssl reads it."""
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


@dataclass(frozen=True)
class PrivateKey:
    """What signs."""

    _key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """A new one, from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @property
    def public(self) -> PublicKey:
        """Its other half."""
        return PublicKey(self._key.public_key())

    def sign(self, content: bytes) -> bytes:
        """The signature of exactly that content, 64 bytes."""
        return self._key.sign(content)

    def pem(self) -> bytes:
        """As openssl reads it. A secret."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def parse_private_key(content: bytes, field_name: str) -> PrivateKey:
    """The one key of a PEM file. KeyUnusable with the field's name, and without a word of the content."""
    blocks = _blocks(content, field_name)
    if [kind for kind, _ in blocks] == [_PUBLIC]:
        raise _unusable(field_name, "is a public key, and signing needs the private one")
    if len(blocks) != 1:
        raise _unusable(field_name, f"must hold one private key, and holds {len(blocks)} keys")
    return _private(blocks[0][1], field_name)


def parse_public_keys(content: bytes, field_name: str) -> list[PublicKey]:
    """The keys of a PEM file, one after the other. KeyUnusable as above."""
    keys = []
    for place, (kind, block) in enumerate(_blocks(content, field_name), start=1):
        if kind != _PUBLIC:
            raise _unusable(field_name, f"key {place} is no public key; private keys do not belong there")
        keys.append(_public(block, field_name, place))
    return keys


def parse_keys(content: bytes, field_name: str) -> list[PublicKey]:
    """The public keys of a PEM file that may also hold a private one. KeyUnusable as above."""
    return [
        _public(block, field_name, place) if kind == _PUBLIC else _private(block, field_name).public
        for place, (kind, block) in enumerate(_blocks(content, field_name), start=1)
    ]


def _blocks(content: bytes, field_name: str) -> list[tuple[bytes, bytes]]:
    """Kind and text of every block; text between them is a comment. A block that does not end is refused."""
    found = [(match[1], match[0]) for match in _BLOCK.finditer(content)]
    if not found or len(found) != content.count(_BEGINNING):
        raise _unusable(field_name, "is no PEM file (-----BEGIN … KEY-----), or part of it is missing")
    return found


def _public(block: bytes, field_name: str, place: int) -> PublicKey:
    try:
        key = serialization.load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable(field_name, f"key {place} cannot be read") from None
    if not isinstance(key, Ed25519PublicKey):
        raise _unusable(field_name, f"key {place} is of another kind than Ed25519")
    return PublicKey(key)


def _private(block: bytes, field_name: str) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(block, password=None)
    except TypeError:
        raise _unusable(field_name, "has a passphrase: signing needs a private key without") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable(
            field_name, "cannot be read: an Ed25519 private key in PEM (PKCS#8) is needed"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(field_name, "is of another kind than Ed25519")
    return PrivateKey(key)


def _unusable(field_name: str, why: str) -> StrongroomError:
    return StrongroomError(Reason.KeyUnusable, f"{field_name}: {why} (`strongroom keys init` makes a pair)")
