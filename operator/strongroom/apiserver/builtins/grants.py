"""What may this user do here? The fixed role's rules, then those of every role object that a binding grants."""

from collections.abc import Iterator

from strongroom.apiserver.auth.roles import Rule
from strongroom.apiserver.builtins import rbac
from strongroom.apiserver.builtins.roles import REVIEWS, ROLES
from strongroom.apiserver.http.requests import User
from strongroom.apiserver.resources import Object
from strongroom.apiserver.storage.records import Key
from strongroom.apiserver.storage.store import Store


class Grants:
    """Reads roles and bindings at every question, so that a right that is taken away is gone at once."""

    def __init__(self, store: Store) -> None:
        """Look into this store."""
        self._store = store

    def rules_of(self, user: User, namespace: str) -> Iterator[Rule]:
        """Every rule that holds for the user in a namespace; with an empty one, those that hold everywhere."""
        yield REVIEWS
        yield from ROLES.get(user.role, ())
        for binding in self._store.items(rbac.CLUSTER_ROLE_BINDINGS.storage_name):
            if _names(binding.object, user):
                yield from self._rules(binding.object["roleRef"], "")
        if not namespace:
            return
        for binding in self._store.items(rbac.ROLE_BINDINGS.storage_name, namespace):
            if _names(binding.object, user):
                yield from self._rules(binding.object["roleRef"], namespace)

    def _rules(self, reference: Object, namespace: str) -> Iterator[Rule]:
        """The rules of the role that a binding names; none when it is not there."""
        if reference["kind"] == rbac.CLUSTER_ROLE:
            key = Key(rbac.CLUSTER_ROLES.storage_name, "", reference["name"])
        else:
            key = Key(rbac.ROLES.storage_name, namespace, reference["name"])
        stored = self._store.get(key)
        for rule in (stored.object.get("rules") or ()) if stored else ():
            yield Rule(
                verbs=tuple(rule["verbs"]),
                groups=tuple(rule.get("apiGroups") or ()),
                resources=tuple(rule.get("resources") or ()),
                names=tuple(rule.get("resourceNames") or ()),
            )


def _names(binding: Object, user: User) -> bool:
    return any(_is(subject, user) for subject in binding.get("subjects") or ())


def _is(subject: Object, user: User) -> bool:
    if subject["kind"] == rbac.SERVICE_ACCOUNT:
        return user.name == f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
    if subject["kind"] == rbac.GROUP_KIND:
        return subject["name"] in user.groups
    return bool(subject["name"] == user.name)
