"""Where stores get keys and passwords from: the Secrets of one order, as their opener hands them over."""

from pathlib import Path
from typing import Protocol

from strongroom.api.fields import SecretKeyReference


class Secrets(Protocol):
    """The Secrets of one order. Both raise SecretMissing or SecretKeyMissing with `field` in the text."""

    def read(self, reference: SecretKeyReference, field: str) -> bytes:
        """The key's bytes."""

    def path(self, reference: SecretKeyReference, field: str) -> Path:
        """The file that holds them, for those who want a file."""
