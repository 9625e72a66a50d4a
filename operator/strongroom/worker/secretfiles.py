"""Secrets as files, `<folder>/<Secret>/<key>`, and the care that none of them shows in what the worker says."""

from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.fields import SecretKeyReference

_HIDDEN = "[secret]"
_SHORTEST = 4
"""Shorter values are not looked for in texts: they would hide every other word."""


class SecretFiles:
    """Reads the Secrets of one order."""

    def __init__(self, folder: Path) -> None:
        """Read nothing yet."""
        self._folder = folder
        self._seen: set[str] = set()

    def read(self, reference: SecretKeyReference, field: str) -> bytes:
        """The key's bytes. SecretMissing or SecretKeyMissing with `field` (whose reference it is) in the text."""
        path = self._folder / reference.name / reference.key
        try:
            value = path.read_bytes()
        except OSError as error:
            # A cluster mounts nothing of a Secret that is not there, and an empty folder in its place.
            if not path.parent.is_dir() or not any(path.parent.iterdir()):
                raise StrongroomError(
                    Reason.SecretMissing, f"{field}: Secret {reference.name} does not exist"
                ) from error
            raise StrongroomError(
                Reason.SecretKeyMissing, f"{field}: Secret {reference.name} has no key {reference.key}"
            ) from error
        self._seen.add(value.decode(errors="replace").strip())
        return value

    def path(self, reference: SecretKeyReference, field: str) -> Path:
        """The file that holds the key's bytes, for programs that want a file. Raises as `read` does."""
        self.read(reference, field)
        return self._folder / reference.name / reference.key

    def hide(self, text: str) -> str:
        """The text with every secret that was read so far replaced."""
        for value in sorted(self._seen, key=len, reverse=True):
            if len(value) >= _SHORTEST:
                text = text.replace(value, _HIDDEN)
        return excerpt(text, limit=1000)
