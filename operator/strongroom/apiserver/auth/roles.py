"""Rules of roles, fixed or kept as objects: rbac.authorization.k8s.io/v1 PolicyRule, read as a cluster reads it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from strongroom.apiserver.http.requests import User

ANY = "*"


@dataclass(frozen=True)
class Rule:
    """Verbs on resources (`jobs`, `jobs/status`) of groups; `*` is any."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Only objects of these names; none is any. A request without a name (list, create) is not covered by a rule with names."""
    except_resources: tuple[str, ...] = ()

    def allows(self, wanted: "Attributes") -> bool:
        """Whether this rule covers the request."""
        plural, _, subresource = wanted.resource.partition("/")
        if plural in self.except_resources or (self.names and wanted.name not in self.names):
            return False
        covers_resource = _covers(self.resources, wanted.resource) or (
            bool(subresource) and f"{ANY}/{subresource}" in self.resources
        )
        return covers_resource and _covers(self.verbs, wanted.verb) and _covers(self.groups, wanted.group)


@dataclass(frozen=True)
class Attributes:
    """What a request would do: `resource` is `jobs` or `jobs/status`, `name` is empty where the path has none."""

    verb: str
    group: str
    resource: str
    name: str = ""


Roles = Mapping[str, Sequence[Rule]]
FindRules = Callable[[User, str], Iterable[Rule]]
"""The rules that hold for a user in a namespace, or at the cluster scope (empty)."""


def allows(rules: Iterable[Rule], wanted: Attributes) -> bool:
    """Whether any rule covers the request."""
    return any(rule.allows(wanted) for rule in rules)


def _covers(listed: tuple[str, ...], one: str) -> bool:
    return ANY in listed or one in listed
