"""The contract of a kind of encryption. tests/contract/test_cipher_contract.py runs it on every kind."""

from typing import Protocol

from strongroom.api.encryption import AppliedEncryption, EncryptionKind
from strongroom.pipeline.encryption.authentication import Authentication
from strongroom.pipeline.pipes import Abandonment
from strongroom.pipeline.sinks import Readable, Sink

SUFFIXES: dict[EncryptionKind, str] = {"age": ".age", "gpg": ".gpg", "openssl": ".enc"}


class Cipher(Protocol):
    """One kind with its keys, for all artifacts of a run.

    Both directions read to the end, in bounded memory, and return only when all has been passed on. They may be
    called again, one after another; each call makes a stream of its own. What reader and sink raise comes out as it is.
    They end soon once the abandonment is asked, if reader and sink fail then.
    """

    @property
    def kind(self) -> EncryptionKind:
        """Its name, which is that of the stock tool."""

    @property
    def opens(self) -> bool:
        """Whether a key for `decrypt` is at hand."""

    @property
    def authentication(self) -> Authentication | None:
        """How tampering shows, for a kind whose own format does not show it."""

    def describe(self) -> AppliedEncryption:
        """What the manifest says of it: never a secret."""

    def encrypt(self, plain: Readable, stored: Sink, abandonment: Abandonment) -> None:
        """EncryptionFailed unless all of it was encrypted."""

    def decrypt(self, stored: Readable, plain: Sink, abandonment: Abandonment) -> None:
        """KeyUnusable when no key at hand fits, ArtifactCorrupt unless the stream is whole from its first byte to its last.

        What was passed on before that is worth nothing. Only a cipher that `opens`.
        """
