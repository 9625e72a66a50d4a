"""The proof of a copy: every stored byte read from the store again, back to the plain stream where a key is at hand, and into a check."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal, Protocol

from strongroom.api.backuppolicy import Codec
from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.codecs import open_plain
from strongroom.pipeline.digests import Digest, Fingerprint
from strongroom.pipeline.encrypting import DecryptedStream
from strongroom.pipeline.encryption.authentication import Authentication
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.pipeline.lanes import Lane
from strongroom.pipeline.reading import pump
from strongroom.pipeline.sinks import Readable, Sink
from strongroom.pipeline.tees import Tee
from strongroom.sources.reading import Check
from strongroom.stores.store import StoreReader


class _Seen:
    """A stream that shows a sink what is read from it."""

    def __init__(self, stream: Readable, sink: Sink) -> None:
        self._stream = stream
        self._sink = sink

    def readinto(self, buffer: memoryview) -> int:
        count = self._stream.readinto(buffer)
        self._sink.write(buffer[:count])
        return count


@dataclass(frozen=True)
class Written:
    """One key as it was written: its stored bytes, the plain stream that they hold, and the tag where there is one."""

    key: str
    codec: Codec
    stored: Fingerprint
    plain: Fingerprint
    cipher: Cipher | None = None
    """Of an encrypted key: what opens it, if it does."""
    authentication: Authentication | None = None
    tag: str | None = None
    """What the authentication gave."""
    is_proved_elsewhere: bool = False
    """Whether the same stored bytes were turned back into the plain stream already, in another store: their digest tells the rest."""

    @property
    def reaches(self) -> Literal["Plain", "Stored"]:
        """How far `read_back` goes."""
        if self.is_proved_elsewhere:
            return "Stored"
        return "Plain" if self.cipher is None or self.cipher.opens else "Stored"


class Opens(Protocol):
    """A store, as far as it is read."""

    def open(self, key: str) -> StoreReader:
        """See Store."""


def read_back(store: Opens, written: Written, start_check: Callable[[], Check] | None = None) -> None:
    """Return if the key holds exactly those bytes and, where they can be opened, they turn back into exactly that plain stream.

    VerificationFailed, ArtifactCorrupt or KeyUnusable otherwise, and whatever the check raises, which sees the plain stream.
    """
    with ExitStack() as opened:
        digest = Digest()
        authenticator = None if written.authentication is None else written.authentication.start()
        lane = opened.enter_context(Lane(Tee(digest, *([] if authenticator is None else [authenticator]))))
        found = _Seen(opened.enter_context(store.open(written.key)), lane)
        if written.reaches == "Plain":
            _read_plain(found, written, start_check)
        pump(found)  # what codec and cipher left unread counts too
        lane.finish()
        _compare(written.key, "stored", digest.fingerprint(), written.stored)
        if authenticator is not None and not authenticator.accepts(written.tag or ""):
            raise StrongroomError(
                Reason.ArtifactCorrupt,
                f"{written.key} has another HMAC-SHA256 than its manifest: it was tampered with",
            )


def _read_plain(found: Readable, written: Written, start_check: Callable[[], Check] | None) -> None:
    with ExitStack() as opened:
        digest = Digest()
        lane = opened.enter_context(Lane(digest))
        compressed: Readable = found
        if written.cipher is not None:
            compressed = opened.enter_context(DecryptedStream(written.cipher, found))
        check = None if start_check is None else opened.enter_context(start_check())
        plain = open_plain(written.codec, compressed)
        pump(plain, *([] if check is None else [check]), lane)
        pump(compressed)  # the cipher says only at the end that all was good
        lane.finish()
        _compare(written.key, "plain", digest.fingerprint(), written.plain)
        if check is not None:
            check.finish()


def _compare(key: str, what: str, found: Fingerprint, expected: Fingerprint) -> None:
    if found != expected:
        raise StrongroomError(
            Reason.VerificationFailed,
            f"{key} was read back with other {what} bytes than were written: {found.size_bytes} bytes with SHA-256 "
            f"{found.sha256[:12]}… instead of {expected.size_bytes} with {expected.sha256[:12]}…",
        )
