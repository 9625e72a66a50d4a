"""How a file opens without Strongroom: one shell line of stock tools."""

import shlex
from pathlib import Path

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


def _decryption(artifact: Artifact, *, from_file: bool) -> str:
    """The first step; all ask for a passphrase, and gpg takes the key from its ring."""
    if artifact.encryption == "age":
        return "age --decrypt" if artifact.opened_by == "Passphrase" else "age --decrypt --identity key.txt"
    if artifact.encryption == "gpg":
        return "gpg --decrypt"
    command = f"openssl enc -d -aes-256-cbc -pbkdf2 -iter {artifact.iterations} -md sha256"
    return f"{command} -in" if from_file else command
