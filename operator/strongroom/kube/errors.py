"""What an API server can answer instead of what was asked, one class for each way that callers treat apart."""

import json
from collections.abc import Mapping
from typing import Any

from strongroom.api.errors import excerpt
from strongroom.kube.permissions import Permission


class ApiError(Exception):
    """The server refused, or could not be asked. `status` is the HTTP code (0: no answer), `reason` the server's word."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        """Keep code and reason beside the text."""
        super().__init__(f"{message} ({reason})" if reason else message)
        self.status = status
        self.reason = reason
        self.message = message
        self.permission: Permission | None = None
        """What the request needed to be allowed, where it is about a resource."""
        self.retry_after_seconds: float | None = None
        """How long the server asks us to wait, if it does."""


class NotFound(ApiError):  # noqa: N818  the server's own words for its refusals
    """404: no such object, kind or namespace."""


class AlreadyExists(ApiError):  # noqa: N818
    """409 AlreadyExists: an object of that name is there."""


class Conflict(ApiError):  # noqa: N818
    """409 Conflict: the object changed since it was read, or is not ours."""


class Forbidden(ApiError):  # noqa: N818
    """401 or 403: these credentials may not do that."""


class NamespaceTerminating(Forbidden):
    """403: the namespace is being deleted, and nothing is made in it any more."""


class Invalid(ApiError):  # noqa: N818
    """400, 415 or 422: the body or the request is wrong; the same request will fail again."""


class Gone(ApiError):  # noqa: N818
    """410: that resourceVersion is too old; list again."""


class Unavailable(ApiError):  # noqa: N818
    """No connection, no answer in time, 429 or 5xx: the same request may succeed later."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    408: Unavailable,
    410: Gone,
    415: Invalid,
    422: Invalid,
    429: Unavailable,
}


def error_from_status(status: int, answer: dict[str, Any]) -> ApiError:
    """The error for an HTTP code and the server's `Status` object."""
    reason = str(answer.get("reason") or "")
    message = excerpt(str(answer.get("message") or f"the API server answered {status}"), 1024)
    if status == 409:
        kind: type[ApiError] = AlreadyExists if reason == "AlreadyExists" else Conflict
    elif status == 403 and "NamespaceTerminating" in _causes(answer):
        kind = NamespaceTerminating
    else:
        kind = _BY_STATUS.get(status, Unavailable if status >= 500 else ApiError)
    error = kind(status, reason, message)
    error.retry_after_seconds = _seconds(_details(answer).get("retryAfterSeconds"))
    return error


def _details(answer: dict[str, Any]) -> dict[str, Any]:
    details = answer.get("details")
    return details if isinstance(details, dict) else {}


def _causes(answer: dict[str, Any]) -> list[str]:
    causes = _details(answer).get("causes")
    return (
        [str(cause.get("reason")) for cause in causes if isinstance(cause, dict)]
        if isinstance(causes, list)
        else []
    )


def _seconds(value: object) -> float | None:
    """A positive number of seconds; a date, which Retry-After may be, is none that an API server sends."""
    try:
        seconds = float(str(value))
    except ValueError:
        return None
    return seconds if 0 < seconds < float("inf") else None


def error_from_body(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> ApiError:
    """The error for an answer that may not be a `Status`: a proxy's page, for instance."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        answer = {"message": body[:1024].decode(errors="replace")}
    error = error_from_status(status, answer)
    error.retry_after_seconds = _seconds((headers or {}).get("Retry-After")) or error.retry_after_seconds
    return error
