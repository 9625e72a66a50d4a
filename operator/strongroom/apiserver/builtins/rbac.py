"""Rights as objects: Role, RoleBinding, ClusterRole, ClusterRoleBinding (rbac.authorization.k8s.io/v1).

Evaluated as on a cluster. Not here: aggregated ClusterRoles, and the check that a writer of rules holds them himself; only
administrators may write these kinds on the embedded server.
"""

# ruff: noqa: ARG002 - hooks are handed what other kinds need

from strongroom.apiserver import fielderrors
from strongroom.apiserver.builtins.rules import BuiltinRules
from strongroom.apiserver.fielderrors import FieldError, child, index
from strongroom.apiserver.metaschemas import array, record, text
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.schema import StructuralSchema
from strongroom.apiserver.tables import AGE, NAME, Column

GROUP = "rbac.authorization.k8s.io"
SERVICE_ACCOUNT, USER_KIND, GROUP_KIND = "ServiceAccount", "User", "Group"
SUBJECT_KINDS = (SERVICE_ACCOUNT, USER_KIND, GROUP_KIND)

_POLICY_RULE = record(
    "PolicyRule says which verbs are allowed on which resources or paths.",
    verbs=array(text(), "Verbs; * is all."),
    apiGroups=array(text(), "API groups; empty is the core group, * is all."),
    resources=array(text(), "Resources such as jobs or jobs/status; * is all."),
    resourceNames=array(text(), "Only objects of these names; empty is any."),
    nonResourceURLs=array(text(), "Paths that are no resources."),
    required=("verbs",),
)
_SUBJECT = record(
    "Subject is whom a binding is for.",
    kind=text("User, Group or ServiceAccount."),
    apiGroup=text("Empty for service accounts, rbac.authorization.k8s.io for the others."),
    name=text("Name of the subject."),
    namespace=text("Namespace of a service account."),
    required=("kind", "name"),
)
_ROLE_REF = record(
    "RoleRef is the role that a binding grants. Cannot be changed.",
    apiGroup=text("rbac.authorization.k8s.io."),
    kind=text("Role or ClusterRole."),
    name=text("Name of the role."),
    required=("kind", "name"),
)


def _path_segment_problems(name: str) -> list[str]:
    """Names with a colon, such as system:node, are allowed: only what breaks a path is not (apimachinery, path.ValidatePathSegmentName)."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in name]


class RoleRules(BuiltinRules):
    """Roles and ClusterRoles."""

    name_problems = staticmethod(_path_segment_problems)
    columns = (
        NAME,
        Column("Created At", lambda obj, _now: obj["metadata"].get("creationTimestamp"), "date"),
    )
    schema = StructuralSchema(
        record("Role is a list of rules.", rules=array(_POLICY_RULE, "What is allowed.", nullable=True))
    )

    def __init__(self, *, namespaced: bool) -> None:
        """Paths that are no resources can only be granted cluster-wide."""
        self._namespaced = namespaced

    def validate_create(self, obj: Object) -> list[FieldError]:
        errors = self.schema.validate(obj)
        for position, rule in enumerate(obj.get("rules") or ()):
            errors += self._rule_errors(rule, index("rules", position))
        return errors

    def _rule_errors(self, rule: Object, path: str) -> list[FieldError]:
        errors = []
        if not rule.get("verbs"):
            errors.append(fielderrors.required(child(path, "verbs"), "verbs must contain at least one value"))
        if urls := rule.get("nonResourceURLs"):
            if self._namespaced:
                why = "namespaced rules cannot apply to non-resource URLs"
                errors.append(fielderrors.invalid(child(path, "nonResourceURLs"), urls, why))
            if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
                why = "rules cannot apply to both regular resources and non-resource URLs"
                errors.append(fielderrors.invalid(child(path, "nonResourceURLs"), urls, why))
            return errors
        if not rule.get("apiGroups"):
            why = "resource rules must supply at least one api group"
            errors.append(fielderrors.required(child(path, "apiGroups"), why))
        if not rule.get("resources"):
            why = "resource rules must supply at least one resource"
            errors.append(fielderrors.required(child(path, "resources"), why))
        return errors


class BindingRules(BuiltinRules):
    """RoleBindings and ClusterRoleBindings."""

    name_problems = staticmethod(_path_segment_problems)
    columns = (
        NAME,
        Column("Role", lambda obj, _now: f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"),
        AGE,
    )
    schema = StructuralSchema(
        record(
            "A binding grants a role to subjects.",
            subjects=array(_SUBJECT, "Whom the role is granted to.", nullable=True),
            roleRef=_ROLE_REF,
            required=("roleRef",),
        )
    )

    def __init__(self, *roles: str) -> None:
        """`roles` are the kinds that may be granted."""
        self._roles = roles

    def normalise(self, obj: Object) -> Object:
        if role := obj.get("roleRef"):
            role["apiGroup"] = role.get("apiGroup") or GROUP
        for subject in obj.get("subjects") or ():
            if subject.get("kind") in (USER_KIND, GROUP_KIND):
                subject["apiGroup"] = subject.get("apiGroup") or GROUP
        return obj

    def validate_create(self, obj: Object) -> list[FieldError]:
        errors = self.schema.validate(obj)
        role = obj.get("roleRef") or {}
        if role.get("apiGroup", GROUP) != GROUP:
            errors.append(fielderrors.not_supported("roleRef.apiGroup", role["apiGroup"], [GROUP]))
        if role.get("kind") not in self._roles:
            errors.append(fielderrors.not_supported("roleRef.kind", role.get("kind", ""), self._roles))
        if not role.get("name"):
            errors.append(fielderrors.required("roleRef.name"))
        for position, subject in enumerate(obj.get("subjects") or ()):
            errors += _subject_errors(subject, index("subjects", position))
        return errors

    def validate_update(self, obj: Object, old: Object, subresource: str) -> list[FieldError]:
        errors = self.validate_create(obj)
        if obj.get("roleRef") != old["roleRef"]:
            errors.append(fielderrors.invalid("roleRef", obj.get("roleRef"), "cannot change roleRef"))
        return errors


def _subject_errors(subject: Object, path: str) -> list[FieldError]:
    kind, errors = subject.get("kind", ""), []
    if not subject.get("name"):
        errors.append(fielderrors.required(child(path, "name")))
    if kind not in SUBJECT_KINDS:
        errors.append(fielderrors.not_supported(child(path, "kind"), kind, SUBJECT_KINDS))
    elif kind == SERVICE_ACCOUNT and not subject.get("namespace"):
        errors.append(fielderrors.required(child(path, "namespace")))
    wanted = "" if kind == SERVICE_ACCOUNT else GROUP
    if kind in SUBJECT_KINDS and subject.get("apiGroup", "") != wanted:
        errors.append(fielderrors.not_supported(child(path, "apiGroup"), subject["apiGroup"], [wanted]))
    return errors


ROLE, CLUSTER_ROLE = "Role", "ClusterRole"
ROLES = Resource(GROUP, "v1", "roles", ROLE, RoleRules(namespaced=True))
CLUSTER_ROLES = Resource(
    GROUP, "v1", "clusterroles", CLUSTER_ROLE, RoleRules(namespaced=False), namespaced=False
)
ROLE_BINDINGS = Resource(GROUP, "v1", "rolebindings", "RoleBinding", BindingRules(ROLE, CLUSTER_ROLE))
CLUSTER_ROLE_BINDINGS = Resource(
    GROUP,
    "v1",
    "clusterrolebindings",
    "ClusterRoleBinding",
    BindingRules(CLUSTER_ROLE),
    namespaced=False,
)
RESOURCES = (ROLES, ROLE_BINDINGS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)
