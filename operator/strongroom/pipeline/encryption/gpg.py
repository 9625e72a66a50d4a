"""OpenPGP (RFC 4880) by the real gpg: the newest valid key for encryption of each recipient."""

from collections.abc import Sequence
from pathlib import Path

from strongroom.api.encryption import AppliedEncryption, EncryptionKind
from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.pipeline.encryption.filtering import Ended
from strongroom.pipeline.encryption.gpghomes import GpgHome
from strongroom.pipeline.pipes import Abandonment
from strongroom.pipeline.sinks import Readable, Sink


class GpgCipher:
    """See Cipher. Private keys lie in a home of their own, and in no process once a call has ended."""

    kind: EncryptionKind = "gpg"
    authentication = None

    def __init__(
        self,
        scratch: Path,
        public_keys: Sequence[tuple[str, bytes]],
        private_key: tuple[str, bytes] | None = None,
    ) -> None:
        """Encrypt to all of these keys, each with the field that it comes from. KeyUnusable with field and key id."""
        self._home = GpgHome(scratch)
        self._fingerprints = [
            fingerprint for field, content in public_keys for fingerprint in self._add(content, field)
        ]
        self._private_home = None
        if private_key is not None:
            self._private_home = GpgHome(scratch)
            self._private_home.add_keys(private_key[1], private_key[0], private=True)

    @property
    def opens(self) -> bool:
        """See Cipher."""
        return self._private_home is not None

    def describe(self) -> AppliedEncryption:
        """See Cipher."""
        return AppliedEncryption(kind="gpg", opened_by="PrivateKey", key_ids=self._fingerprints)

    def encrypt(self, plain: Readable, stored: Sink, abandonment: Abandonment) -> None:
        """See Cipher. What comes is compressed already."""
        recipients = [word for fingerprint in self._fingerprints for word in ("--recipient", fingerprint)]
        arguments = ["--no-autostart", "--compress-algo", "none", *recipients, "--encrypt", "--output", "-"]
        ended = self._home.filter(arguments, plain, stored, abandonment)
        if ended.code != 0:
            raise StrongroomError(Reason.EncryptionFailed, _words("--encrypt", ended))

    def decrypt(self, stored: Readable, plain: Sink, abandonment: Abandonment) -> None:
        """See Cipher. gpg refuses a stream whose integrity it cannot see."""
        assert self._private_home is not None  # noqa: S101 - a fault of the caller, who did not ask `opens`
        ended = self._private_home.filter(["--decrypt", "--output", "-"], stored, plain, abandonment)
        if ended.code != 0:
            reason = Reason.KeyUnusable if "No secret key" in ended.errors else Reason.ArtifactCorrupt
            raise StrongroomError(reason, _words("--decrypt", ended))

    def _add(self, content: bytes, field: str) -> list[str]:
        keys = self._home.add_keys(content, field)
        for key in keys:
            if key.trouble is not None:
                raise StrongroomError(Reason.KeyUnusable, f"{field}: key {key.fingerprint} {key.trouble}")
        return [key.fingerprint for key in keys]


def _words(what: str, ended: Ended) -> str:
    return f"gpg {what} ended with exit code {ended.code}: {excerpt(ended.errors)}"
