"""JSON Web Tokens signed with ES256 (RFC 7515 compact form, RFC 7518 section 3.4): made and checked, nothing else of the standard."""

import base64
import binascii
import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from strongroom.apiserver.auth.authority import Key, encode_key, write_private

Claims = dict[str, Any]
_HEADER = {"alg": "ES256", "typ": "JWT"}
_HALF_BYTES = 32
"""Of a P-256 signature: r and s, big-endian."""


class BadToken(Exception):  # noqa: N818  says what came in
    """No token of ours: malformed, another algorithm, or signed with another key."""


def ensure_signing_key(path: Path) -> Key:
    """The key of that file, made when there is none."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, encode_key(ec.generate_private_key(ec.SECP256R1())))
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - our own file
    return key


def sign(claims: Claims, key: Key) -> str:
    """The token for these claims."""
    signed = f"{_encode(_json(_HEADER))}.{_encode(_json(claims))}"
    halves = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_encode(b''.join(half.to_bytes(_HALF_BYTES, 'big') for half in halves))}"


def verify(token: str, key: Key) -> Claims:
    """The claims of a token whose signature is good; their meaning is the caller's to judge. Raises BadToken."""
    try:
        signed, _, signature = token.rpartition(".")
        header, _, claims = signed.partition(".")
        # The algorithm is ours to choose, never the token's.
        if json.loads(_decode(header)).get("alg") != _HEADER["alg"]:
            raise BadToken
        key.public_key().verify(_der(_decode(signature)), signed.encode(), ec.ECDSA(hashes.SHA256()))
        found = json.loads(_decode(claims))
    except (InvalidSignature, ValueError, AttributeError, binascii.Error) as error:
        raise BadToken from error
    if not isinstance(found, dict):
        raise BadToken
    return found


def _der(signature: bytes) -> bytes:
    if len(signature) != 2 * _HALF_BYTES:
        raise BadToken
    r, s = signature[:_HALF_BYTES], signature[_HALF_BYTES:]
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))


def _json(value: Claims) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
