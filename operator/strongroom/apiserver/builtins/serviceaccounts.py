"""Service accounts: names for programs. Their tokens are asked for at the subresource `token`, and end with the account."""

from strongroom.apiserver.builtins import tokenrequests
from strongroom.apiserver.builtins.rules import BuiltinRules
from strongroom.apiserver.metaschemas import array, boolean, keyed, record, text
from strongroom.apiserver.resources import Resource
from strongroom.apiserver.schema import StructuralSchema
from strongroom.apiserver.storage.records import Key
from strongroom.apiserver.storage.store import Store

PLURAL = "serviceaccounts"


class ServiceAccountRules(BuiltinRules):
    """Service accounts."""

    schema = StructuralSchema(
        record(
            "ServiceAccount binds together a name and its secrets.",
            secrets=keyed(
                record(
                    "A secret.",
                    name=text(),
                    kind=text(),
                    namespace=text(),
                    uid=text(),
                    apiVersion=text(),
                    resourceVersion=text(),
                    fieldPath=text(),
                    required=("name",),
                ),
                "name",
                "Secrets that programs of this account may use.",
            ),
            imagePullSecrets=array(record("A secret.", name=text()), "Secrets for pulling images."),
            automountServiceAccountToken=boolean("Whether pods get a token."),
        )
    )


def build(issue: tokenrequests.Issue) -> Resource:
    """Service accounts, with `issue` behind their TokenRequests."""
    questions = {"token": tokenrequests.build(issue)}
    rules = ServiceAccountRules()
    return Resource("", "v1", PLURAL, "ServiceAccount", rules, short_names=("sa",), questions=questions)


def find_uid(store: Store, namespace: str, name: str) -> str | None:
    """The uid of an account that is there to stay; None for one that is absent or on its way out."""
    stored = store.get(Key(PLURAL, namespace, name))
    if stored is None or stored.object["metadata"].get("deletionTimestamp"):
        return None
    uid: str = stored.object["metadata"]["uid"]
    return uid
