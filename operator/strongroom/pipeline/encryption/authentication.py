"""HMAC-SHA256 (RFC 2104) of stored bytes, under a key derived from a passphrase by PBKDF2 (RFC 8018): tampering shows.

`openssl enc` encrypts without authentication. The key has a salt of its own, so that it is not the encryption's key.
"""

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from strongroom.pipeline.sinks import Chunk

SALT_BYTES = 16
_KEY_BYTES = 32


@dataclass(frozen=True)
class Authentication:
    """A way to authenticate; the salt is public."""

    passphrase: bytes = field(repr=False)
    iterations: int
    salt: bytes

    def with_salt(self, salt: bytes) -> Self:
        """The same with the salt of an earlier run."""
        return replace(self, salt=salt)

    def start(self) -> "Authenticator":
        """A sink for one stored stream."""
        return Authenticator(self._key)

    @cached_property
    def _key(self) -> bytes:
        return hashlib.pbkdf2_hmac("sha256", self.passphrase, self.salt, self.iterations, _KEY_BYTES)


class Authenticator:
    """A sink that remembers only the tag."""

    def __init__(self, key: bytes) -> None:
        """Begin with nothing."""
        self._mac = hmac.new(key, digestmod="sha256")

    def write(self, chunk: Chunk) -> None:
        """See Sink."""
        self._mac.update(chunk)

    def tag(self) -> str:
        """Of all that was written so far, in lower-case hex."""
        return self._mac.hexdigest()

    def accepts(self, tag: str) -> bool:
        """Whether all that was written so far has that tag."""
        return hmac.compare_digest(self.tag(), tag)
