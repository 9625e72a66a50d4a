"""Service accounts: names for programs. Tokens are issued by Strongroom's own command, not through this API."""

from strongroom.apiserver.builtins.rules import BuiltinRules
from strongroom.apiserver.metaschemas import array, boolean, keyed, record, text
from strongroom.apiserver.resources import Resource
from strongroom.apiserver.schema import StructuralSchema


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


RESOURCE = Resource("", "v1", "serviceaccounts", "ServiceAccount", ServiceAccountRules(), short_names=("sa",))
