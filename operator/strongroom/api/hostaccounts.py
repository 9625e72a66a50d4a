"""How a host is known to the API: its service account, what its token says, and the token that it joins with.

A join token is one line, `srj_TRUST.BEARER.CHECK`: TRUST is the SHA-256 of the CA's public key (SubjectPublicKeyInfo, as kubeadm's
discovery hash), the CA's certificate (DER) when the server does not show it, as most clusters, and `-` when the server's
certificate is a public authority's; BEARER is a service account's token; CHECK is the
beginning of the SHA-256 of all before it, so that a line that was cut or changed on its way is known at once.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

ACCOUNT_PREFIX = "strongroom-agent-"
_PREFIX = "srj_"
_CHECK_LENGTH = 8
_NO_PIN = "-"


def account_name(host: str) -> str:
    """Name of the service account of a DockerHost's agent, in the DockerHost's namespace."""
    return f"{ACCOUNT_PREFIX}{host}"


@dataclass(frozen=True)
class JoinToken:
    """What a new host must know: whom to trust, and who it is."""

    pin: bytes | None
    """SHA-256 of the CA's public key; None with no certificate either: the machine's own authorities decide."""
    bearer: str = field(repr=False)
    certificate: bytes | None = None
    """The CA's (DER), for servers that do not show it."""


def format_join_token(token: JoinToken) -> str:
    """The line to hand over."""
    trusted = token.certificate or token.pin
    trust = _NO_PIN if trusted is None else base64.urlsafe_b64encode(trusted).decode().rstrip("=")
    body = f"{_PREFIX}{trust}.{token.bearer}"
    return f"{body}.{_check(body)}"


def parse_join_token(text: str) -> JoinToken:
    """Read one; white space inside, as a wrapped line brings it, is ignored. Raises ValueError."""
    line = "".join(text.split())
    if not line.startswith(_PREFIX):
        raise ValueError(f"this is no join token: one begins with {_PREFIX}")
    body, _, check = line.rpartition(".")
    trust, dot, bearer = body.removeprefix(_PREFIX).partition(".")
    if not dot or check != _check(body):
        raise ValueError("the join token is not whole: copy it again, from its beginning to its end")
    if trust == _NO_PIN:
        return JoinToken(None, bearer)
    trusted = _decode(trust)
    is_pin = len(trusted) == hashlib.sha256().digest_size
    return JoinToken(trusted, bearer) if is_pin else JoinToken(None, bearer, trusted)


def _check(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:_CHECK_LENGTH]


@dataclass(frozen=True)
class AccountClaims:
    """What a service account's token says of itself. Not proved: only the API server can."""

    namespace: str
    name: str
    issued_at: datetime
    expires_at: datetime

    @property
    def half_life(self) -> datetime:
        """When it is time for the next one."""
        return self.issued_at + (self.expires_at - self.issued_at) / 2


def read_claims(bearer: str) -> AccountClaims:
    """The claims of a bearer token, as Kubernetes writes them (RFC 7519). Raises ValueError."""
    try:
        claims: dict[str, Any] = json.loads(_decode(bearer.split(".")[1]))
        private = claims["kubernetes.io"]
        return AccountClaims(
            namespace=str(private["namespace"]),
            name=str(private["serviceaccount"]["name"]),
            issued_at=datetime.fromtimestamp(claims["iat"], UTC),
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise ValueError("this is no service account's token") from error


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("this is no base64") from error
