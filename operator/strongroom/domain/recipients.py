"""Is this an age recipient? Keys are looked at, not used: by their form and check sums alone.

X25519 recipients are Bech32 (BIP 173, without its limit of length) of 32 bytes with the prefix `age`
(https://age-encryption.org/v1); SSH keys are lines of authorized_keys (RFC 4253, section 6.6).
"""

import base64
import binascii

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_PREFIX = "age"
_KEY_SYMBOLS = 52
_CHECK_SYMBOLS = 6
_STRANGE = tuple(
    f"{_PREFIX}1{kind}1" for kind in ("pq", "tag", "tagpq", "yubikey", "se", "tpm", "fido2-hmac")
)
"""1 is no symbol of Bech32's data: what has another one is of another kind."""
_SSH_TYPES = ("ssh-ed25519", "ssh-rsa")
_LEAST_RSA_BYTES = 2048 // 8


def find_recipient_trouble(text: str) -> str | None:
    """Why nothing can be encrypted to it, or None. Never a word of the text itself."""
    text = text.strip()
    if text.upper().startswith("AGE-SECRET-KEY-") or "PRIVATE KEY" in text:
        return "this is a private key, and it now stands in the policy: make a new one and give its public key (age1…)"
    if text.startswith(("ssh-", "ecdsa-")):
        return _ssh_trouble(text)
    if not text.lower().startswith(f"{_PREFIX}1"):
        return "neither an X25519 key (age1…) nor an SSH public key (ssh-ed25519, ssh-rsa)"
    if text.lower().startswith(_STRANGE):
        return "a post-quantum key or one of a plugin or a device, which this version does not support: use age1… (X25519) or an SSH key"
    if len(text) != len(_PREFIX) + 1 + _KEY_SYMBOLS + _CHECK_SYMBOLS:
        return "not of the length of an X25519 key (age1…)"
    return None if _is_bech32(text) else "its check sum is wrong: a character of it was changed or lost"


def _is_bech32(text: str) -> bool:
    if text not in {text.lower(), text.upper()}:
        return False
    symbols = text.lower()[len(_PREFIX) + 1 :]
    if any(symbol not in _ALPHABET for symbol in symbols):
        return False
    prefix = [ord(letter) >> 5 for letter in _PREFIX] + [0] + [ord(letter) & 31 for letter in _PREFIX]
    return _check_sum(prefix + [_ALPHABET.index(symbol) for symbol in symbols]) == 1


def _check_sum(values: list[int]) -> int:
    """As in BIP 173."""
    found = 1
    for value in values:
        top = found >> 25
        found = (found & 0x1FFFFFF) << 5 ^ value
        for bit, part in enumerate(_GENERATOR):
            found ^= part if (top >> bit) & 1 else 0
    return found


def _ssh_trouble(text: str) -> str | None:
    kind, *rest = text.split()
    if kind not in _SSH_TYPES:
        return "an SSH key of a type that age does not encrypt to: use ssh-ed25519 or ssh-rsa"
    try:
        parts = _ssh_parts(base64.b64decode(rest[0], validate=True))
    except (IndexError, ValueError, binascii.Error):
        return "an SSH key that cannot be read: give the whole line of the .pub file"
    if not parts or parts[0] != kind.encode():
        return "an SSH key that cannot be read: give the whole line of the .pub file"
    if kind == "ssh-rsa" and len(parts[-1].lstrip(b"\0")) < _LEAST_RSA_BYTES:
        return "an SSH key of less than 2048 bits"
    return None


def _ssh_parts(content: bytes) -> list[bytes]:
    """The strings of an SSH key; ValueError if they do not fill it."""
    parts = []
    while content:
        length = int.from_bytes(content[:4], "big")
        if len(content) < 4 + length:
            raise ValueError("it ends early")
        parts.append(content[4 : 4 + length])
        content = content[4 + length :]
    return parts
