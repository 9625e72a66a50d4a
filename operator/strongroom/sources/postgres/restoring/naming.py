"""Names of what a restore makes: each follows from the request and the database, so that any worker finds it again."""

import hashlib

_LONGEST = 63
"""Bytes of an identifier."""
_DIGITS = 10


def name_prepared(original: str, request_uid: str) -> str:
    """The database that is made beside that one."""
    return _suffixed(original, "restoring", request_uid)


def name_replaced(original: str, request_uid: str) -> str:
    """What that database is called once another has its name."""
    return _suffixed(original, "replaced", request_uid)


def name_role(request_uid: str) -> str:
    """A role that lives as long as a restore."""
    return _suffixed("strongroom", "role", request_uid)


def _suffixed(original: str, what: str, request_uid: str) -> str:
    digest = hashlib.sha256(f"{request_uid}\0{original}".encode()).hexdigest()[:_DIGITS]
    suffix = f"_{what}_{digest}"
    begin = original.encode()[: _LONGEST - len(suffix)]
    return begin.decode(errors="ignore") + suffix
