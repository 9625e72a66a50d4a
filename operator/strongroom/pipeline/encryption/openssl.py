"""`openssl enc -aes-256-cbc -pbkdf2` with a passphrase. It does not authenticate: hence the HMAC beside it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strongroom.api.encryption import AppliedEncryption, EncryptionKind
from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.pipeline.encryption.authentication import Authentication
from strongroom.pipeline.encryption.filtering import Ended, find_program, run_filter
from strongroom.pipeline.encryption.passphrases import parse_passphrase
from strongroom.pipeline.pipes import Abandonment
from strongroom.pipeline.sinks import Readable, Sink

FIELD = "encryption.openssl.passphraseSecret"


class OpensslCipher:
    """See Cipher. The passphrase reaches the program through a pipe."""

    kind: EncryptionKind = "openssl"
    opens = True

    def __init__(self, passphrase: bytes, iterations: int, salt: bytes) -> None:
        """The salt is the authentication's; the program makes its own. KeyUnusable for a passphrase that would be cut."""
        self._passphrase = parse_passphrase(passphrase, FIELD)
        self._iterations = iterations
        self._program = find_program("openssl", "encryption.openssl")
        self.authentication = Authentication(self._passphrase, iterations, salt)

    def describe(self) -> AppliedEncryption:
        """See Cipher."""
        return AppliedEncryption(
            kind="openssl",
            iterations=self._iterations,
            authentication_salt=self.authentication.salt.hex(),
            opened_by="Passphrase",
        )

    def encrypt(self, plain: Readable, stored: Sink, abandonment: Abandonment) -> None:
        """See Cipher."""
        ended = self._run("-e", plain, stored, abandonment)
        if ended.code != 0:
            raise StrongroomError(Reason.EncryptionFailed, _words(ended))

    def decrypt(self, stored: Readable, plain: Sink, abandonment: Abandonment) -> None:
        """See Cipher. A wrong passphrase cannot be told from other bytes."""
        ended = self._run("-d", stored, plain, abandonment)
        if ended.code != 0:
            raise StrongroomError(Reason.ArtifactCorrupt, _words(ended))

    def _run(self, direction: str, source: Readable, sink: Sink, abandonment: Abandonment) -> Ended:
        with _line_to_read(self._passphrase) as descriptor:
            key = ["-pbkdf2", "-iter", str(self._iterations), "-md", "sha256", "-salt"]
            argv: list[str | Path] = [
                self._program,
                "enc",
                direction,
                "-aes-256-cbc",
                *key,
                "-pass",
                f"fd:{descriptor}",
            ]
            return run_filter(argv, source, sink, abandonment, descriptors=[descriptor])


@contextmanager
def _line_to_read(line: bytes) -> Iterator[int]:
    """A descriptor that gives this line and its end. It fits into a pipe: nobody waits."""
    reading, writing = os.pipe()
    try:
        os.write(writing, line + b"\n")
        os.close(writing)
        yield reading
    finally:
        os.close(reading)


def _words(ended: Ended) -> str:
    return f"openssl enc ended with exit code {ended.code}: {excerpt(ended.errors)}"
