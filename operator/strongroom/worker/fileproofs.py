"""A file of a committed recovery point, proved by its manifest: what was written there, and what it opens into."""

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import Manifest, ManifestFile
from strongroom.pipeline.digests import Fingerprint
from strongroom.pipeline.encryption.authentication import Authentication
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.sources.files.checks import CountCheck
from strongroom.stores.store import Store
from strongroom.worker.readback import Written, read_back


def prove_file(
    store: Store,
    key: str,
    manifest: Manifest,
    file: ManifestFile,
    cipher: Cipher | None,
    *,
    is_opened: bool = True,
) -> None:
    """Return if every stored byte is as the manifest says and, where the cipher opens and it is to be, every plain byte, too.

    Raises as `read_back` does.
    """
    artifact = file.artifact
    written = Written(
        key=key,
        codec=manifest.compression.codec,
        stored=Fingerprint(artifact.stored_bytes, artifact.stored_sha256),
        plain=Fingerprint(artifact.plain_bytes, artifact.plain_sha256),
        cipher=cipher,
        authentication=find_authentication(key, manifest, cipher),
        tag=file.hmac_sha256,
        is_proved_elsewhere=not is_opened,
    )
    counted = artifact.kind in {"files", "config"}
    read_back(store, written, (lambda: CountCheck(artifact)) if counted else None)


def find_authentication(key: str, manifest: Manifest, cipher: Cipher | None) -> Authentication | None:
    """How the files show that they were tampered with, where their format does not: each run has a salt of its own.

    ArtifactCorrupt where that is missing.
    """
    if cipher is None or cipher.authentication is None:
        return None
    applied = manifest.encryption
    if applied is None or applied.authentication_salt is None:
        raise StrongroomError(
            Reason.ArtifactCorrupt, f"the manifest of {key} lacks the salt of its files' HMAC-SHA256"
        )
    return cipher.authentication.with_salt(bytes.fromhex(applied.authentication_salt))
