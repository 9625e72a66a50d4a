"""The proof of a copy: every stored byte read from the store again, back to the plain stream, and into a check."""

from contextlib import ExitStack, nullcontext

from strongroom.api.backuppolicy import Codec
from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.codecs import open_plain
from strongroom.pipeline.digests import Digest, Fingerprint
from strongroom.pipeline.lanes import Lane
from strongroom.pipeline.reading import pump
from strongroom.pipeline.sinks import Readable, Sink
from strongroom.sources.reading import Check
from strongroom.stores.store import Store


class _Seen:
    """A stream that shows a sink what is read from it."""

    def __init__(self, stream: Readable, sink: Sink) -> None:
        self._stream = stream
        self._sink = sink

    def readinto(self, buffer: memoryview) -> int:
        count = self._stream.readinto(buffer)
        self._sink.write(buffer[:count])
        return count


def read_back(
    store: Store,
    key: str,
    codec: Codec,
    *,
    stored: Fingerprint,
    plain: Fingerprint,
    check: Check | None = None,
) -> None:
    """Return if the key holds exactly those bytes and they turn back into exactly that plain stream.

    VerificationFailed (or ArtifactCorrupt) otherwise, and whatever the check raises. `check` is closed here.
    """
    with ExitStack() as opened:
        stored_digest, plain_digest = Digest(), Digest()
        stored_lane = opened.enter_context(Lane(stored_digest))
        plain_lane = opened.enter_context(Lane(plain_digest))
        found = _Seen(opened.enter_context(store.open(key)), stored_lane)
        opened.enter_context(check or nullcontext())
        pump(open_plain(codec, found), *([check] if check else []), plain_lane)
        pump(found)  # what the codec left unread counts too
        stored_lane.finish()
        plain_lane.finish()
        _compare(key, "stored", stored_digest.fingerprint(), stored)
        _compare(key, "plain", plain_digest.fingerprint(), plain)
        if check is not None:
            check.finish()


def _compare(key: str, what: str, found: Fingerprint, expected: Fingerprint) -> None:
    if found != expected:
        raise StrongroomError(
            Reason.VerificationFailed,
            f"{key} was read back with other {what} bytes than were written: {found.size_bytes} bytes with SHA-256 "
            f"{found.sha256[:12]}… instead of {expected.size_bytes} with {expected.sha256[:12]}…",
        )
