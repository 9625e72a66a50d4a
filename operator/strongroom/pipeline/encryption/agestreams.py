"""The payload of an age file (https://age-encryption.org/v1, "Payload"): chunks of 64 KiB, each authenticated, the last one marked.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) with ChaCha20-Poly1305 (RFC 8439).
"""

from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.sinks import Readable, Sink

CHUNK_BYTES = 1 << 16
_TAG_BYTES = 16
_COUNTER_BYTES = 11


def encrypt_payload(key: bytes, plain: Readable, stored: Sink) -> None:
    """All of the stream; one that is empty becomes one empty chunk."""
    cipher = ChaCha20Poly1305(key)
    for number, (chunk, is_last) in enumerate(_chunks(plain, CHUNK_BYTES)):
        stored.write(cipher.encrypt(_nonce(number, is_last=is_last), chunk, None))


def decrypt_payload(key: bytes, stored: Readable, plain: Sink) -> None:
    """ArtifactCorrupt unless it is whole: a stream that was cut between two chunks lacks the mark of the last one."""
    cipher = ChaCha20Poly1305(key)
    for number, (chunk, is_last) in enumerate(_chunks(stored, CHUNK_BYTES + _TAG_BYTES)):
        if is_last and number and len(chunk) == _TAG_BYTES:
            raise _corrupt("its last chunk is empty")
        try:
            plain.write(cipher.decrypt(_nonce(number, is_last=is_last), chunk, None))
        except (InvalidTag, ValueError):
            raise _corrupt("a chunk of it was changed or cut, or its end is missing") from None


def read_fully(stream: Readable, size: int) -> bytes:
    """So many bytes, or what there is until the end."""
    content = bytearray(size)
    buffer, filled = memoryview(content), 0
    while filled < size and (count := stream.readinto(buffer[filled:])):
        filled += count
    return bytes(buffer[:filled])


def _chunks(stream: Readable, size: int) -> Iterator[tuple[bytes, bool]]:
    """Each with whether it is the last: known only when nothing follows."""
    chunk = read_fully(stream, size)
    while following := read_fully(stream, size) if len(chunk) == size else b"":
        yield chunk, False
        chunk = following
    yield chunk, True


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + bytes([is_last])


def _corrupt(why: str) -> StrongroomError:
    return StrongroomError(Reason.ArtifactCorrupt, f"age cannot decrypt it: {why}")
