"""A cipher from a private key alone, for what was encrypted long ago: the public keys of then need not be at hand."""

from dataclasses import dataclass
from pathlib import Path

from strongroom.api.encryption import AppliedEncryption, EncryptionKind
from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.encryption.age import AgeCipher, parse_identities
from strongroom.pipeline.encryption.agepassphrase import AgePassphraseCipher
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.pipeline.encryption.gpg import GpgCipher
from strongroom.pipeline.encryption.openssl import OpensslCipher
from strongroom.pipeline.pipes import Abandonment
from strongroom.pipeline.sinks import Readable, Sink


@dataclass(frozen=True)
class SealedCipher:
    """See Cipher. What was encrypted, and no key at hand."""

    applied: AppliedEncryption
    opens = False
    authentication = None

    @property
    def kind(self) -> EncryptionKind:
        """See Cipher."""
        return self.applied.kind

    def describe(self) -> AppliedEncryption:
        """See Cipher."""
        return self.applied

    def encrypt(self, plain: Readable, stored: Sink, abandonment: Abandonment) -> None:  # noqa: ARG002 - the protocol's
        """KeyUnusable."""
        raise self._no_key()

    def decrypt(self, stored: Readable, plain: Sink, abandonment: Abandonment) -> None:  # noqa: ARG002 - the protocol's
        """KeyUnusable."""
        raise self._no_key()

    def _no_key(self) -> StrongroomError:
        return StrongroomError(Reason.KeyUnusable, f"it is encrypted with {self.kind}, and no key is at hand")


def build_opener(applied: AppliedEncryption, key: bytes | None, field: str, scratch: Path) -> Cipher:
    """What decrypts, and no more. `key` is an age or SSH identity, an OpenPGP private key, or a passphrase (age, openssl).

    Raises KeyUnusable with `field` for what cannot be such a key, and ClientMissing. Whether it fits shows when it is used;
    without a key the cipher does not open. `scratch` is a folder that is deleted later.
    """
    if key is None:
        return SealedCipher(applied)
    if applied.kind == "age" and applied.opened_by == "Passphrase":
        return AgePassphraseCipher(key, field)
    if applied.kind == "age":
        return AgeCipher([], parse_identities(key.decode(errors="replace"), field))
    if applied.kind == "gpg":
        return GpgCipher(scratch, [], (field, key))
    if applied.iterations is None or applied.authentication_salt is None:
        raise StrongroomError(
            Reason.ManifestUntrusted, "the manifest lacks iterations or salt of its encryption"
        )
    return OpensslCipher(key, applied.iterations, bytes.fromhex(applied.authentication_salt))
