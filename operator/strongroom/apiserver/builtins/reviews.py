"""Questions asked by creating an object that is never stored: who am I, what may I do, whose token is this?"""

# ruff: noqa: ARG002 - hooks are handed what other kinds need

from typing import Any

from strongroom.apiserver.auth.gate import FindUser
from strongroom.apiserver.auth.roles import ANY, Attributes, FindRules, Rule, allows
from strongroom.apiserver.builtins.rules import BuiltinRules
from strongroom.apiserver.http.requests import User
from strongroom.apiserver.metaschemas import Schema, anything, array, record, text
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.schema import StructuralSchema

AUTHORIZATION, AUTHENTICATION = "authorization.k8s.io", "authentication.k8s.io"


def _schema(description: str, **fields: Schema) -> StructuralSchema:
    answer = anything("The answer, filled in by the server.")
    return StructuralSchema(
        record(description, spec=record("The question.", required=(), **fields), status=answer)
    )


class Review(BuiltinRules):
    """A question; the answer is its status."""

    transient = True

    def answer(self, obj: Object, user: User) -> Object:
        answered = {key: value for key, value in obj.items() if key != "status"}
        answered["metadata"] = {"creationTimestamp": None, **obj["metadata"]}
        return {**answered, "status": self.status_of(obj.get("spec") or {}, user)}

    def status_of(self, spec: Object, user: User) -> Object:
        """The answer itself."""
        raise NotImplementedError


class AccessReview(Review):
    """May I?"""

    schema = _schema(
        "SelfSubjectAccessReview checks whether the current user can perform an action.",
        resourceAttributes=record(
            "An action on a resource.",
            namespace=text("Namespace of the action; empty is all, or none for cluster-wide resources."),
            verb=text("Such as get, list or delete; * is all."),
            group=text("API group; * is all."),
            version=text("API version; * is all."),
            resource=text("Plural of the resource; * is all."),
            subresource=text("Such as status."),
            name=text("Name of the object; empty is all."),
            fieldSelector=anything("Limits the action to some objects."),
            labelSelector=anything("Limits the action to some objects."),
        ),
        nonResourceAttributes=record(
            "An action on a path.", path=text("The path."), verb=text("Such as get.")
        ),
    )

    def __init__(self, find_rules: FindRules) -> None:
        """Answer by `find_rules`, as the gate does."""
        self._find_rules = find_rules

    def status_of(self, spec: Object, user: User) -> Object:
        asked = spec.get("resourceAttributes")
        if asked is None:
            # Paths that are no resources: everything there is readable for whoever got in.
            verb = (spec.get("nonResourceAttributes") or {}).get("verb", "")
            allowed = user.role == "admin" or verb.lower() in ("get", "head")
        else:
            subresource = asked.get("subresource")
            resource = asked.get("resource", "") + (f"/{subresource}" if subresource else "")
            wanted = Attributes(
                asked.get("verb", ""), asked.get("group", ""), resource, asked.get("name", "")
            )
            allowed = allows(self._find_rules(user, asked.get("namespace", "")), wanted)
        return {"allowed": allowed}


class RulesReview(Review):
    """What may I?"""

    schema = _schema(
        "SelfSubjectRulesReview lists the actions that the current user can perform.",
        namespace=text("Namespace of the actions."),
    )

    def __init__(self, find_rules: FindRules) -> None:
        """Answer by `find_rules`."""
        self._find_rules = find_rules

    def status_of(self, spec: Object, user: User) -> Object:
        return {
            "resourceRules": [_rule(rule) for rule in self._find_rules(user, spec.get("namespace", ""))],
            "nonResourceRules": [
                {"verbs": [ANY if user.role == "admin" else "get"], "nonResourceURLs": [ANY]}
            ],
            "incomplete": False,
        }


def _rule(rule: Rule) -> dict[str, Any]:
    listed = {
        "verbs": list(rule.verbs),
        "apiGroups": list(rule.groups),
        "resources": list(rule.resources),
    }
    return {**listed, "resourceNames": list(rule.names)} if rule.names else listed


class SelfReview(Review):
    """Who am I?"""

    schema = _schema("SelfSubjectReview tells who the current user is.")

    def status_of(self, spec: Object, user: User) -> Object:
        return {"userInfo": _user_info(user)}


class TokenReview(Review):
    """Whose token is this?"""

    schema = _schema(
        "TokenReview tells whom a token stands for.",
        token=text("The token."),
        audiences=array(text(), "For whom the token must be meant."),
    )

    def __init__(self, find_user: FindUser) -> None:
        """Ask `find_user` about tokens."""
        self._find_user = find_user

    def status_of(self, spec: Object, user: User) -> Object:
        found = self._find_user(spec.get("token") or "")
        if found is None:
            return {"user": {}, "error": "invalid bearer token"}
        return {"authenticated": True, "user": _user_info(found)}


def _user_info(user: User) -> dict[str, Any]:
    info = {"username": user.name, "groups": list(user.groups)}
    return {**info, "uid": user.uid} if user.uid else info


def build_resources(find_user: FindUser, find_rules: FindRules) -> list[Resource]:
    """The reviews, as resources that can only be created."""
    kinds: list[tuple[str, str, str, Review]] = [
        (AUTHORIZATION, "selfsubjectaccessreviews", "SelfSubjectAccessReview", AccessReview(find_rules)),
        (AUTHORIZATION, "selfsubjectrulesreviews", "SelfSubjectRulesReview", RulesReview(find_rules)),
        (AUTHENTICATION, "selfsubjectreviews", "SelfSubjectReview", SelfReview()),
        (AUTHENTICATION, "tokenreviews", "TokenReview", TokenReview(find_user)),
    ]
    return [
        Resource(group, "v1", plural, kind, rules, namespaced=False, verbs=("create",))
        for group, plural, kind, rules in kinds
    ]
