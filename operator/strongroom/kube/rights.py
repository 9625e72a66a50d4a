"""What a part of Strongroom may ask of the API: declared beside the code that asks, written as the rules of Roles (pure)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.kube.kinds import ApiKind

Rule = dict[str, list[str]]
READ = ("get", "list", "watch")
_VERBS = (*READ, "create", "update", "patch", "delete")


@dataclass(frozen=True)
class Right:
    """Verbs on one resource (`jobs`, or with its subresource `jobs/status`)."""

    group: str
    resource: str
    verbs: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse what no part may have: wildcards, and looking for Secrets instead of reading one by its name."""
        if unknown := set(self.verbs) - set(_VERBS):
            raise ValueError(f"no verbs of a right: {', '.join(sorted(unknown))}")
        if "*" in self.group + self.resource:
            raise ValueError("a right is never a wildcard")
        if self.resource == "secrets" and set(self.verbs) != {"get"}:
            raise ValueError("Secrets are read one by one, by name")


def on(kind: ApiKind, *verbs: str, sub: str = "") -> Right:
    """The right to do this with objects of a kind, or with a subresource of them."""
    return Right(kind.group, f"{kind.plural}/{sub}" if sub else kind.plural, verbs)


def build_rules(rights: Iterable[Right]) -> list[Rule]:
    """As a Role holds them: each resource once, those of one group with the same verbs together."""
    verbs: dict[tuple[str, str], set[str]] = defaultdict(set)
    for right in rights:
        verbs[right.group, right.resource] |= set(right.verbs)
    together: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource), some in sorted(verbs.items()):
        together[group, tuple(verb for verb in _VERBS if verb in some)].append(resource)
    return [
        {"apiGroups": [group], "resources": resources, "verbs": list(some)}
        for (group, some), resources in sorted(together.items())
    ]
