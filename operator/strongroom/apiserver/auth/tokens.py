"""Bearer tokens: 256 random bits for the client, a SHA-256 for us. A guess costs the same time wherever it is wrong."""

import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from strongroom.apiserver.auth.authority import write_private
from strongroom.apiserver.http.requests import User

PREFIX = "srt_"
AUTHENTICATED = "system:authenticated"


@dataclass(frozen=True)
class Identity:
    """Who a token stands for."""

    name: str
    groups: tuple[str, ...]
    role: str


class Tokens:
    """The token file; read again when another process has written it."""

    def __init__(self, path: Path) -> None:
        """Read the file, if there is one."""
        self._path = path
        self._identities: dict[str, Identity] = {}
        self._read_at = 0
        self._reload()

    def find(self, token: str) -> Identity | None:
        """The identity of a token, or None."""
        return self._match(token) or (self._match(token) if self._reload() else None)

    def find_user(self, token: str) -> User | None:
        """The user that a token makes, or None."""
        identity = self.find(token)
        return (
            None
            if identity is None
            else User(identity.name, (*identity.groups, AUTHENTICATED), identity.role)
        )

    def issue(self, identity: Identity) -> str:
        """A new token for an identity; older ones of the same name stop working."""
        self._reload()
        token = PREFIX + secrets.token_urlsafe(32)
        kept = {digest: one for digest, one in self._identities.items() if one.name != identity.name}
        self._identities = {**kept, _digest(token): identity}
        content = {digest: asdict(one) for digest, one in self._identities.items()}
        write_private(self._path, json.dumps(content, indent=2).encode())
        return token

    def _match(self, token: str) -> Identity | None:
        digest, found = _digest(token), None
        for known, identity in self._identities.items():
            if hmac.compare_digest(known, digest):
                found = identity
        return found

    def _reload(self) -> bool:
        """Whether the file had changed."""
        if not self._path.exists() or self._path.stat().st_mtime_ns == self._read_at:
            return False
        self._read_at = self._path.stat().st_mtime_ns
        content = json.loads(self._path.read_bytes())
        self._identities = {
            digest: Identity(one["name"], tuple(one["groups"]), one["role"])
            for digest, one in content.items()
        }
        return True


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
