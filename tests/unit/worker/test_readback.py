"""Reading back finds every difference between what was written and what the medium gives."""

import pytest

from strongroom.api.backuppolicy import Codec, Compression
from strongroom.api.encryption import AppliedEncryption, EncryptionKind
from strongroom.api.errors import StrongroomError
from strongroom.pipeline.codecs import build_compressor
from strongroom.pipeline.digests import Digest, Fingerprint
from strongroom.pipeline.pipes import Abandonment
from strongroom.pipeline.sinks import Readable, Sink
from strongroom.stores.memory import MemoryStore
from strongroom.worker.readback import Written, read_back

PLAIN = b"".join(b"row %d\n" % (n * n) for n in range(2000))


def fingerprint(content: bytes) -> Fingerprint:
    digest = Digest()
    digest.write(content)
    return digest.fingerprint()


def read(codec: Codec, stored: bytes, found: bytes) -> None:
    store = MemoryStore()
    with store.create("key") as writer:
        writer.write(found)
        writer.commit()
    read_back(store, Written("key", codec, stored=fingerprint(stored), plain=fingerprint(PLAIN)))


@pytest.mark.parametrize("codec", ["zstd", "gzip", "none"])
def test_every_flip_cut_and_addition_is_found(codec: Codec) -> None:
    compressor = build_compressor(Compression(codec=codec))
    stored = compressor.compress(PLAIN) + compressor.flush()
    read(codec, stored, stored)
    broken = [stored[:length] for length in (0, 1, len(stored) // 2, len(stored) - 1)]
    broken += [stored + b"x", stored + stored]
    for position in range(0, len(stored), 211):
        flipped = bytearray(stored)
        flipped[position] ^= 1
        broken.append(bytes(flipped))
    for found in broken:
        with pytest.raises(StrongroomError):
            read(codec, stored, found)


class Sealed:
    """A cipher whose private key is elsewhere: only the stored bytes can be looked at."""

    kind: EncryptionKind = "age"
    opens = False
    authentication = None

    def describe(self) -> AppliedEncryption:
        return AppliedEncryption(kind="age")

    def encrypt(self, plain: Readable, stored: Sink, abandonment: Abandonment) -> None:
        raise NotImplementedError

    def decrypt(self, stored: Readable, plain: Sink, abandonment: Abandonment) -> None:
        raise NotImplementedError


def read_sealed(written: bytes, found: bytes) -> None:
    store = MemoryStore()
    with store.create("key") as writer:
        writer.write(found)
        writer.commit()
    sealed = Written("key", "zstd", stored=fingerprint(written), plain=fingerprint(PLAIN), cipher=Sealed())
    assert sealed.reaches == "Stored"
    read_back(store, sealed)


def test_without_a_key_the_stored_bytes_are_proved_to_the_last_one() -> None:
    written = b"unreadable" * 1000
    read_sealed(written, written)
    for found in (written[:-1], written + b"x", b"U" + written[1:], b""):
        with pytest.raises(StrongroomError):
            read_sealed(written, found)
