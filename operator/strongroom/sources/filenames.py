"""Names of artifacts' files: readable, safe in every store, and different for different databases."""

import hashlib
from urllib.parse import quote

_LENGTH = 120


def encode_name(name: str) -> str:
    """Percent-encode all but ASCII letters, digits, `-`, `_` and `~` (UTF-8); very long ones end in a digest."""
    encoded = quote(name, safe="").replace(".", "%2E")
    if len(encoded) <= _LENGTH:
        return encoded
    return f"{encoded[:_LENGTH]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"
