"""Every refusal as Kubernetes words it: a `Status` object, never plain text, never a traceback.

Texts are those of k8s.io/apimachinery `api/errors` (release 1.35).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from strongroom.apiserver.fielderrors import FieldError, invalid_message

Details = dict[str, Any]


class StatusError(Exception):
    """An answer that is not a success; raised anywhere, turned into the response in one place."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Details | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Keep the parts of the Status."""
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details = details
        self.headers = headers or {}

    def to_object(self) -> dict[str, Any]:
        """The Status object."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


def qualify(name: str, group: str) -> str:
    """`widgets.demo.dev`, or `secrets` in the core group."""
    return f"{name}.{group}" if group else name


def _details(name: str, group: str, kind: str) -> Details:
    details = {"name": name, "group": group, "kind": kind}
    return {key: value for key, value in details.items() if value}


def not_found(plural: str, group: str, name: str) -> StatusError:
    return StatusError(
        404, "NotFound", f'{qualify(plural, group)} "{name}" not found', _details(name, group, plural)
    )


def no_such_resource() -> StatusError:
    """Nothing is served under this path."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(plural: str, group: str, name: str) -> StatusError:
    message = f'{qualify(plural, group)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _details(name, group, plural))


def generated_name_taken(plural: str, group: str, name: str) -> StatusError:
    message = f'{qualify(plural, group)} "{name}" already exists, the server was not able to generate a unique name for the object'
    return StatusError(
        409, "AlreadyExists", message, {**_details(name, group, plural), "retryAfterSeconds": 1}
    )


def conflict(plural: str, group: str, name: str, why: str) -> StatusError:
    message = f'Operation cannot be fulfilled on {qualify(plural, group)} "{name}": {why}'
    return StatusError(409, "Conflict", message, _details(name, group, plural))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def invalid(kind: str, group: str, name: str, errors: Sequence[FieldError]) -> StatusError:
    """422 with every field error, in the message and as causes."""
    message = invalid_message(f'{qualify(kind, group)} "{name}"', errors)
    details = _details(name, group, kind)
    details["causes"] = [build_cause(error) for error in errors]
    return StatusError(422, "Invalid", message, details)


def build_cause(error: FieldError) -> dict[str, str]:
    cause = {"reason": error.type, "message": error.message, "field": error.field}
    return {key: value for key, value in cause.items() if value}


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def forbidden(
    plural: str, group: str, name: str, why: str, causes: Iterable[dict[str, str]] = ()
) -> StatusError:
    """403; `why` follows the resource and its name, as in `secrets "a" is forbidden: …`."""
    subject = qualify(plural, group) + (f' "{name}"' if name else "")
    details = _details(name, group, plural)
    if listed := list(causes):
        details["causes"] = listed
    return StatusError(403, "Forbidden", f"{subject} is forbidden: {why}", details)


def method_not_allowed() -> StatusError:
    return StatusError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
    )


def not_acceptable(supported: Sequence[str]) -> StatusError:
    message = f"only the following media types are accepted: {', '.join(supported)}"
    return StatusError(406, "NotAcceptable", message)


def unsupported_media(message: str) -> StatusError:
    return StatusError(415, "UnsupportedMediaType", message)


def too_large(limit_bytes: int) -> StatusError:
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit_bytes}")


def expired(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def resource_version_too_large(asked: int, current: int) -> StatusError:
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return StatusError(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})


def internal_error(message: str) -> StatusError:
    causes = [{"message": message}]
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", {"causes": causes})
