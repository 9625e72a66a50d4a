"""What ssh's own words mean: the one table, from what it writes to stderr to our reasons."""

import re
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.stores.ssh.access import Access

_TEXT = 200


@dataclass(frozen=True)
class _Row:
    """What is looked for; the reason, the field to look at, and words. Braces are filled in."""

    pattern: re.Pattern[str]
    reason: Reason
    field: str
    words: str


def _row(pattern: str, reason: Reason, field: str, words: str) -> _Row:
    return _Row(re.compile(pattern), reason, field, words)


_KEY, _HOST, _USER = "{kind}.hostKey", "{kind}.host {host}", "{kind}.user {user}"
_ROWS = (
    _row(
        r"no matching host key type found",
        Reason.TlsFailed,
        _KEY,
        "the server {host} has no key of this type",
    ),
    _row(
        r"IDENTIFICATION HAS CHANGED|Host key verification failed|host key is known",
        Reason.TlsFailed,
        _KEY,
        "the server {host} shows another key{found}: if it has been changed on purpose, put the new one here",
    ),
    _row(
        r"ssh_askpass|askpass.*(denied|exec)",
        Reason.StoreFailed,
        "{credential}",
        "nothing can be run in the worker's scratch folder, which handing over a password needs: use a key, or mount it without noexec",
    ),
    _row(
        r"Permission denied(, please| \([a-z])|Too many authentication failures|No more authentication methods|no supported authentication",
        Reason.AuthenticationFailed,
        "{credential}",
        "the server {host} does not let user {user} in with this",
    ),
    _row(r"Could not resolve hostname", Reason.StoreUnreachable, _HOST, "the name is not known here"),
    _row(
        r"subsystem request failed|exec request failed",
        Reason.StoreDenied,
        _USER,
        "the server {host} does not let this account use {kind}",
    ),
    _row(
        r"no matching|Unable to negotiate", Reason.StoreFailed, _HOST, "speaks no protocol that this ssh does"
    ),
    _row(
        r"No user exists for uid|You don't exist",
        Reason.ClientMissing,
        "{kind}",
        "ssh runs only for a user that this machine knows: the worker's has no entry in /etc/passwd",
    ),
    _row(
        r"Bad configuration option|keyword .* extra arguments",
        Reason.ClientMissing,
        "{kind}",
        "this ssh is too old",
    ),
)
_CUT = _row("", Reason.StoreUnreachable, _HOST, "cannot be reached, or the connection broke off")


def explain(said: str, access: Access, otherwise: str = "") -> StrongroomError:
    """The row for the end of ssh's stderr; `otherwise` is told where it said nothing."""
    row = next((row for row in _ROWS if row.pattern.search(said)), _CUT)
    found = re.search(r"fingerprint for the (\S+) key[^\n]*\n(SHA256:\S+?)\.?\s", said)
    known = {
        "kind": access.kind,
        "host": f"{access.server.host}:{access.server.port}",
        "user": access.server.user,
        "credential": access.credential_field,
        "found": f", {found[1]} {found[2]}" if found else "",
    }
    text = f"{row.field}: {row.words}".format_map(known)
    foreign = excerpt(said or otherwise, _TEXT).replace(str(access.folder), "…")
    return StrongroomError(row.reason, f"{text} ({foreign})" if foreign and found is None else text)


def is_known(said: str) -> bool:
    """Whether ssh has said something that the table knows."""
    return any(row.pattern.search(said) for row in _ROWS)
