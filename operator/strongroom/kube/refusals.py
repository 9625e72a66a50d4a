"""Why the API server refuses us, in one word for programs and in words for people, with the way out."""

import re
from dataclasses import dataclass

from strongroom.kube.errors import ApiError, Forbidden, NamespaceTerminating, NotFound

FORBIDDEN = "Forbidden"
TERMINATING = "NamespaceTerminating"
QUOTA = "QuotaExceeded"
UNAUTHORIZED = "Unauthorized"
NOT_SERVED = "NotServed"
UNREACHABLE = "ApiUnreachable"


@dataclass(frozen=True)
class Refusal:
    """A CamelCase word, and the whole story."""

    reason: str
    message: str


def explain(error: ApiError) -> Refusal:
    """What an answer means for us and what to do about it."""
    words = error.message.rstrip(".")
    match error:
        case NamespaceTerminating():
            return Refusal(TERMINATING, f"{words}. Nothing can be made in a namespace that is being deleted.")
        case Forbidden(status=401):
            hint = "Give the operator a token or certificate that the API server knows."
            return Refusal(UNAUTHORIZED, f"The API server does not know this login: {words}. {hint}")
        case Forbidden() if "exceeded quota" in words:
            hint = "Raise the ResourceQuota of the namespace, or let fewer Jobs run there."
            return Refusal(QUOTA, f"{words}. {hint}")
        case Forbidden():
            return Refusal(FORBIDDEN, _lacking(error, words))
        case NotFound(permission=lacking) if lacking is not None and lacking.verb in {"list", "watch"}:
            hint = "Apply the CustomResourceDefinitions of this version (strongroom crds)."
            return Refusal(NOT_SERVED, f"The API server does not serve {lacking.resource}: {words}. {hint}")
        case _:
            return Refusal(UNREACHABLE if error.status == 0 else _word(error.reason), f"{words}.")


def _word(reason: str) -> str:
    """The server's own word, if it is one that a condition may hold: a proxy may say anything."""
    return reason if re.fullmatch(r"[A-Z][A-Za-z0-9]{0,63}", reason) else "ApiError"


def _lacking(error: Forbidden, words: str) -> str:
    if error.permission is None or " cannot " not in words:
        return f"{words}."
    hint = "Give its ServiceAccount this right: apply the Roles of this version (helm upgrade, or kubectl apply -k)"
    hint += "." if error.permission.namespace else ", or let it serve named namespaces (--namespace)."
    return f"The operator may not {error.permission}: {words}. {hint}"
