"""TokenRequest: a token for a service account, asked for at its `token` subresource (authentication.k8s.io/v1)."""

from collections.abc import Callable
from datetime import datetime, timedelta

from strongroom.apiserver import fielderrors
from strongroom.apiserver.auth.accounts import ISSUER, Account
from strongroom.apiserver.builtins.rules import BuiltinRules, format_moment
from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.metaschemas import anything, array, integer, record, text
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.schema import StructuralSchema

Issue = Callable[[Account, timedelta], tuple[str, datetime]]
USUAL_SECONDS = 3600
SHORTEST_SECONDS = 600
LONGEST_SECONDS = 1 << 32


class TokenRequestRules(BuiltinRules):
    """A question about an account; the answer is its status."""

    transient = True
    schema = StructuralSchema(
        record(
            "TokenRequest requests a token for a given service account.",
            spec=record(
                "What is asked for.",
                audiences=array(text(), "For whom the token is meant; this API knows only itself."),
                expirationSeconds=integer("How long the token shall live.", format="int64"),
                boundObjectRef=anything("An object with which the token shall end: not served here."),
            ),
            status=anything("The token, filled in by the server."),
        )
    )

    def __init__(self, issue: Issue) -> None:
        """`issue` makes the tokens."""
        self._issue = issue

    def validate_create(self, obj: Object) -> list[FieldError]:
        spec = obj.get("spec") or {}
        errors = self.schema.validate(obj)
        seconds = spec.get("expirationSeconds", USUAL_SECONDS)
        if seconds < SHORTEST_SECONDS:
            why = "may not specify a duration less than 10 minutes"
            errors.append(fielderrors.invalid("spec.expirationSeconds", seconds, why))
        if seconds > LONGEST_SECONDS:
            why = "may not specify a duration larger than 2^32 seconds"
            errors.append(fielderrors.invalid("spec.expirationSeconds", seconds, why))
        for position, audience in enumerate(spec.get("audiences") or ()):
            if audience != ISSUER:
                path = fielderrors.index("spec.audiences", position)
                errors.append(fielderrors.not_supported(path, audience, [ISSUER]))
        if spec.get("boundObjectRef") is not None:
            errors.append(fielderrors.forbidden("spec.boundObjectRef", "not served here"))
        return errors

    def answer_about(self, obj: Object, subject: Object) -> Object:
        metadata, spec = subject["metadata"], obj.get("spec") or {}
        account = Account(metadata["namespace"], metadata["name"], metadata["uid"])
        seconds = spec.get("expirationSeconds", USUAL_SECONDS)
        token, end = self._issue(account, timedelta(seconds=seconds))
        return {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {
                "name": account.name,
                "namespace": account.namespace,
                "creationTimestamp": format_moment(end - timedelta(seconds=seconds)),
            },
            "spec": {**spec, "audiences": [ISSUER], "expirationSeconds": seconds},
            "status": {"token": token, "expirationTimestamp": format_moment(end)},
        }


def build(issue: Issue) -> Resource:
    """The question, for the accounts' resource to carry."""
    rules = TokenRequestRules(issue)
    return Resource("authentication.k8s.io", "v1", "tokenrequests", "TokenRequest", rules, verbs=("create",))
