"""Files of a recovery point brought to this machine: nothing has its final name before all of it was proved."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import ManifestFile
from strongroom.pipeline.codecs import SUFFIXES, open_plain
from strongroom.pipeline.digests import Digest, Fingerprint
from strongroom.pipeline.encrypting import DecryptedStream
from strongroom.pipeline.encryption.ciphers import SUFFIXES as CIPHER_SUFFIXES
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.pipeline.reading import pump
from strongroom.pipeline.sinks import Chunk, Readable, Sink
from strongroom.stores.keys import UNFINISHED_PREFIX
from strongroom.stores.store import Store
from strongroom.worker.fileproofs import find_authentication
from strongroom.worker.points import StoredPoint


def fetch_file(
    store: Store, point: StoredPoint, file: ManifestFile, folder: Path, cipher: Cipher | None, *shown: Sink
) -> Path:
    """The file as it is stored, below `folder` under its own name. `shown` sees each chunk that arrives.

    ArtifactCorrupt if its length, digest or HMAC is not that of the manifest. A file of the same content that is there
    already is left as it is; one of another content is an error (TargetExists).
    """
    artifact = file.artifact
    target, key = folder / artifact.file, point.key(file)
    expected = Fingerprint(artifact.stored_bytes, artifact.stored_sha256)
    if _is_there(target, expected):
        return target
    digest = Digest()
    authentication = find_authentication(key, point.manifest, cipher)
    tag = None if authentication is None else authentication.start()
    with _unfinished(target) as out, store.open(key) as reader:
        pump(reader, out, digest, *([] if tag is None else [tag]), *shown)
        _compare(key, digest.fingerprint(), expected)
        if tag is not None and not tag.accepts(file.hmac_sha256 or ""):
            raise StrongroomError(
                Reason.ArtifactCorrupt,
                f"{key} has another HMAC-SHA256 than its manifest: it was tampered with",
            )
    return target


def open_file(
    point: StoredPoint, file: ManifestFile, stored: Path, cipher: Cipher | None, *shown: Sink
) -> Path:
    """The plain file beside one that was fetched, under its name without the codec's and the cipher's ends.

    ArtifactCorrupt or KeyUnusable if it does not open into exactly what the manifest says.
    """
    artifact = file.artifact
    target = stored.with_name(plain_name(point, file))
    expected = Fingerprint(artifact.plain_bytes, artifact.plain_sha256)
    if target == stored or _is_there(target, expected):
        return target
    digest = Digest()
    with _unfinished(target) as out, ExitStack() as opened:
        compressed: Readable = opened.enter_context(stored.open("rb", buffering=0))
        if artifact.encryption is not None and cipher is not None:
            compressed = opened.enter_context(DecryptedStream(cipher, compressed))
        pump(open_plain(point.manifest.compression.codec, compressed), out, digest, *shown)
        pump(compressed)  # the cipher says only at the end that all was good
        _compare(stored.name, digest.fingerprint(), expected)
    return target


def plain_name(point: StoredPoint, file: ManifestFile) -> str:
    """Name of the opened file."""
    name = Path(file.artifact.file).name
    if file.artifact.encryption is not None:
        name = name.removesuffix(CIPHER_SUFFIXES[file.artifact.encryption])
    return name.removesuffix(SUFFIXES[point.manifest.compression.codec])


class _File:
    """A file as a sink."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, chunk: Chunk) -> None:
        self._file.write(chunk)


@contextmanager
def _unfinished(target: Path) -> Iterator[_File]:
    """A file beside the target that takes its name on leaving, once it is durable; on an error nothing stays."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f"{UNFINISHED_PREFIX}{target.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            yield _File(out)
            out.flush()
            os.fsync(out.fileno())
        part.rename(target)
    except OSError as error:
        raise StrongroomError(
            Reason.StoreFailed, f"{target} cannot be written: {error.strerror or error}"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _is_there(target: Path, expected: Fingerprint) -> bool:
    if not target.exists():
        return False
    digest = Digest()
    with target.open("rb", buffering=0) as found:
        pump(found, digest)
    if digest.fingerprint() != expected:
        raise StrongroomError(Reason.TargetExists, f"{target} is there already and is something else")
    return True


def _compare(what: str, found: Fingerprint, expected: Fingerprint) -> None:
    if found != expected:
        raise StrongroomError(
            Reason.ArtifactCorrupt,
            f"{what} is not what its manifest says: {found.size_bytes} bytes with SHA-256 {found.sha256[:12]}… instead of "
            f"{expected.size_bytes} with {expected.sha256[:12]}…",
        )
