"""The cipher of an order, tried before anything is read: keys that do not fit are found now, not at the first restore."""

import secrets
from collections.abc import Callable
from pathlib import Path

from strongroom.api.encryption import Encryption
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import SecretKeyReference
from strongroom.pipeline.encryption.age import AgeCipher, parse_identities
from strongroom.pipeline.encryption.agepassphrase import FIELD as PASSPHRASE_FIELD
from strongroom.pipeline.encryption.agepassphrase import AgePassphraseCipher
from strongroom.pipeline.encryption.authentication import SALT_BYTES
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.pipeline.encryption.gpg import GpgCipher
from strongroom.pipeline.encryption.openssl import OpensslCipher
from strongroom.pipeline.pipes import Abandonment
from strongroom.pipeline.sinks import Chunk

ReadSecret = Callable[[SecretKeyReference, str], bytes]

VERIFICATION_FIELD = "encryption.verificationKeySecret"
_SAMPLE = b"Whoever reads this has the key.\n"


def build_cipher(encryption: Encryption, read_secret: ReadSecret, scratch: Path) -> Cipher:
    """Ready to be used. `scratch` is a folder that is deleted later.

    Raises KeyUnusable, ClientMissing, EncryptionFailed, and what `read_secret` raises; texts name the policy's field.
    """
    cipher = _build(encryption, read_secret, scratch)
    _rehearse(cipher)
    return cipher


def _build(encryption: Encryption, read_secret: ReadSecret, scratch: Path) -> Cipher:
    reference = encryption.verification_key_secret
    private = None if reference is None else read_secret(reference, VERIFICATION_FIELD)
    if encryption.age is not None and encryption.age.passphrase_secret is not None:
        return AgePassphraseCipher(read_secret(encryption.age.passphrase_secret, PASSPHRASE_FIELD))
    if encryption.age is not None:
        identities = [] if private is None else parse_identities(_text(private), VERIFICATION_FIELD)
        return AgeCipher(encryption.age.recipients or [], identities)
    if encryption.gpg is not None:
        fields = [f"encryption.gpg.publicKeySecrets[{place}]" for place in range(16)]
        keys = [
            (field, read_secret(each, field))
            for field, each in zip(fields, encryption.gpg.public_key_secrets, strict=False)
        ]
        return GpgCipher(scratch, keys, None if private is None else (VERIFICATION_FIELD, private))
    if encryption.openssl is None:
        raise StrongroomError(Reason.Unsupported, "encryption: a kind that this version does not know")
    passphrase = read_secret(encryption.openssl.passphrase_secret, "encryption.openssl.passphraseSecret")
    return OpensslCipher(passphrase, encryption.openssl.iterations, secrets.token_bytes(SALT_BYTES))


def _text(content: bytes) -> str:
    return content.decode(errors="replace")


def _rehearse(cipher: Cipher) -> None:
    """Encrypt a few bytes, and decrypt them if that is to be done later."""
    stored, plain = _Memory(), _Memory()
    cipher.encrypt(_Memory(_SAMPLE), stored, Abandonment())
    if not cipher.opens:
        return
    try:
        cipher.decrypt(stored, plain, Abandonment())
    except StrongroomError as error:
        words = (
            f"{VERIFICATION_FIELD}: does not open what is encrypted to this policy's keys: {error.message}"
        )
        raise StrongroomError(Reason.KeyUnusable, words) from error
    if plain.content != _SAMPLE:
        raise StrongroomError(
            Reason.EncryptionFailed, f"{cipher.kind} does not decrypt what it has encrypted"
        )


class _Memory:
    """A few bytes: a sink, and then a stream of what it took."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = content

    def write(self, chunk: Chunk) -> None:
        self.content += chunk

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self.content))
        buffer[:count] = self.content[:count]
        self.content = self.content[count:]
        return count
