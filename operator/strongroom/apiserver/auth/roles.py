"""Fixed roles: lists of rules in RBAC's own shape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ANY = "*"


@dataclass(frozen=True)
class Rule:
    """Verbs on resources (`jobs`, `jobs/status`) of groups; `*` is any."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    except_resources: tuple[str, ...] = ()

    def allows(self, verb: str, group: str, resource: str) -> bool:
        """Whether this rule covers the request."""
        if resource.split("/", maxsplit=1)[0] in self.except_resources:
            return False
        return _covers(self.verbs, verb) and _covers(self.groups, group) and _covers(self.resources, resource)


Roles = Mapping[str, Sequence[Rule]]


def allows(rules: Sequence[Rule], verb: str, group: str, resource: str) -> bool:
    """Whether any rule covers the request."""
    return any(rule.allows(verb, group, resource) for rule in rules)


def _covers(listed: tuple[str, ...], one: str) -> bool:
    return ANY in listed or one in listed
