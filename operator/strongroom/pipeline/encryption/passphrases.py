"""A passphrase as its Secret holds it: one line, as the stock tools would read it from a terminal or a file."""

from strongroom.api.errors import Reason, StrongroomError

_LONGEST = 1000
"""openssl cuts a longer line without a word, at 1023 bytes."""


def parse_passphrase(content: bytes, field: str) -> bytes:
    """Without its line's end. KeyUnusable with the field's name for what a tool would cut or take for nothing."""
    passphrase = content.removesuffix(b"\n").removesuffix(b"\r")
    if not passphrase or any(byte in passphrase for byte in b"\n\r\0"):
        raise StrongroomError(
            Reason.KeyUnusable, f"{field}: the passphrase must be one line that is not empty"
        )
    if len(passphrase) > _LONGEST:
        raise StrongroomError(Reason.KeyUnusable, f"{field}: the passphrase is longer than {_LONGEST} bytes")
    return passphrase
