"""How a file opens without Strongroom: one shell line of stock tools."""

import shlex
from pathlib import Path

from strongroom.api.backupstore import BackupStoreSpec, S3Store
from strongroom.api.result import Artifact, ArtifactKind

_DECOMPRESSORS = {".zst": "zstd -dc", ".gz": "gzip -dc"}
_READERS: dict[ArtifactKind, str] = {
    "database": "pg_restore --list",
    "globals": "less",
    "files": "tar --list --verbose",
    "config": "tar --list --verbose",
}


def opening_command(artifact: Artifact, path: Path | None = None) -> str:
    """The line that shows what is in the file, or in standard input. `key.txt` stands for the file with an age identity."""
    name, steps = Path(artifact.file), []
    if artifact.encryption is not None:
        steps.append(_decryption(artifact, from_file=path is not None))
        name = name.with_suffix("")
    if (decompress := _DECOMPRESSORS.get(name.suffix)) is not None or not steps:
        steps.append(decompress or "cat")
    if path is not None:
        steps[0] += f" {shlex.quote(str(path))}"
    return " | ".join([*steps, _READERS[artifact.kind]])


def opening_in_store(store: BackupStoreSpec, point: str, artifact: Artifact) -> str:
    """The same for the copy in a store; out of another machine's it is fetched first, by the store's stock client."""
    key = f"{point}/{artifact.file}"
    if store.local is not None:
        return opening_command(artifact, Path(store.local.path) / key)
    if store.s3 is not None:
        return f"{_from_bucket(store.s3, key)} | {opening_command(artifact)}"
    return f"{_to_here(store, key)} && {opening_command(artifact, Path(artifact.file))}"


def _from_bucket(store: S3Store, key: str) -> str:
    options = [f"--endpoint-url {shlex.quote(store.endpoint)}"] if store.endpoint else []
    options += [f"--region {store.region}"] if store.region else []
    return " ".join([f"aws s3 cp {shlex.quote(store.url(key))} -", *options])


def _to_here(store: BackupStoreSpec, key: str) -> str:
    """Whoever types it logs in with a key, or a password, of his own."""
    if store.sftp is not None:
        return f"sftp -P {store.sftp.port} {shlex.quote(f'{store.sftp.login}:{store.sftp.file(key)}')} ."
    assert store.rsync is not None  # noqa: S101 - a store has one of the four
    place = shlex.quote(f"{store.rsync.login}:{store.rsync.file(key)}")
    return f"rsync -e 'ssh -p {store.rsync.port}' {place} ."


def _decryption(artifact: Artifact, *, from_file: bool) -> str:
    """The first step; all ask for a passphrase, and gpg takes the key from its ring."""
    if artifact.encryption == "age":
        return "age --decrypt" if artifact.opened_by == "Passphrase" else "age --decrypt --identity key.txt"
    if artifact.encryption == "gpg":
        return "gpg --decrypt"
    command = f"openssl enc -d -aes-256-cbc -pbkdf2 -iter {artifact.iterations} -md sha256"
    return f"{command} -in" if from_file else command
