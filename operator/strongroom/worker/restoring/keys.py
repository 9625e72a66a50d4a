"""What opens an encrypted recovery point: the first of the keys at hand that fits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from strongroom.api.backuppolicy import Codec
from strongroom.api.encryption import AppliedEncryption
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import SecretKeyReference
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.pipeline.encryption.opening import build_opener
from strongroom.pipeline.pipes import Abandonment
from strongroom.pipeline.sinks import Chunk
from strongroom.worker.restoring.choosing import Chosen
from strongroom.worker.task import Task

TRIAL_BYTES = 256 << 10
_BEGINNINGS: dict[Codec, Sequence[bytes]] = {
    "zstd": (b"\x28\xb5\x2f\xfd",),
    "gzip": (b"\x1f\x8b",),
    "none": (b"PGDMP", b"--\n"),
}


@dataclass(frozen=True)
class Key:
    """One key at hand, and where it is from."""

    where: str
    cipher: Cipher


def find_cipher(
    task: Task, chosen: Chosen, references: Sequence[SecretKeyReference], head: bytes
) -> Cipher | None:
    """What decrypts the recovery point's files, of which `head` is the beginning of one; None where they are in the clear.

    Raises DecryptionFailed, without a word of any key.
    """
    applied = chosen.manifest.encryption
    if applied is None:
        return None
    troubles: list[str] = []
    for key in _keys(task, applied, references, troubles):
        if _opens(key.cipher, head, chosen.manifest.compression.codec):
            return key.cipher
        troubles.append(f"{key.where} does not fit")
    to = f" to {', '.join(applied.key_ids[:4])}" if applied.key_ids else ""
    why = "; ".join(troubles) if troubles else "no key is named"
    raise StrongroomError(
        Reason.DecryptionFailed,
        f"{chosen.prefix} is encrypted with {applied.kind}{to}: {why} (spec.decryptionKeySecret)",
    )


def _keys(
    task: Task, applied: AppliedEncryption, references: Sequence[SecretKeyReference], troubles: list[str]
) -> Iterator[Key]:
    for place, reference in enumerate(references):
        where = f"Secret {reference.name}, key {reference.key}"
        try:
            content = task.secrets.read(reference, f"opening.decryptionKeys[{place}]")
            yield Key(where, build_opener(applied, content, where, task.scratch))
        except StrongroomError as error:
            if error.reason is Reason.ClientMissing:
                raise
            troubles.append(error.message)


def _opens(cipher: Cipher, head: bytes, codec: Codec) -> bool:
    """Whether it makes sense of the beginning. It cannot like the end, which is cut off."""
    plain = _Memory()
    try:
        cipher.decrypt(_Memory(head), plain, Abandonment())
    except StrongroomError as error:
        if error.reason is Reason.KeyUnusable:
            return False
    if cipher.kind != "openssl":
        return True  # these know their keys
    return plain.content.startswith(tuple(_BEGINNINGS[codec])) or plain.content[257:262] == b"ustar"


class _Memory:
    """A few bytes: a stream, or a sink."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)

    def write(self, chunk: Chunk) -> None:
        self.content += chunk

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self.content))
        buffer[:count] = self.content[:count]
        del self.content[:count]
        return count
