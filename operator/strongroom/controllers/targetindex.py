"""Which policies touch which databases: found without comparing every policy with every other."""

from collections.abc import Iterator

from strongroom.domain.targets import ALL, Target

Name = tuple[str, str]


class TargetIndex:
    """The targets of policies, by policy, by server and by database."""

    def __init__(self) -> None:
        """No policy touches anything."""
        self._targets: dict[Name, tuple[Target, ...]] = {}
        self._readers: dict[tuple[str, str], set[Name]] = {}
        """Policies by server and database; ALL stands for those that read all of it."""
        self._visitors: dict[str, set[Name]] = {}
        """Policies by server, whatever they read of it."""

    def put(self, policy: Name, targets: tuple[Target, ...]) -> set[Name]:
        """Note what a policy touches (nothing, if it has gone); returns those that shared a target before or do now."""
        if self._targets.get(policy, ()) == targets:
            return set()
        concerned = self.sharing(policy)
        for readers in self._places(self._targets.pop(policy, ())):
            readers.discard(policy)
        if targets:
            self._targets[policy] = targets
        for readers in self._places(targets):
            readers.add(policy)
        return concerned | self.sharing(policy)

    def sharing(self, policy: Name) -> set[Name]:
        """Other policies that touch a target of this one."""
        found: set[Name] = set()
        for target in self._targets.get(policy, ()):
            if ALL in target.parts:
                found |= self._visitors.get(target.server, set())
            for database in (*target.parts, ALL):
                found |= self._readers.get((target.server, database), set())
        return found - {policy}

    def _places(self, targets: tuple[Target, ...]) -> Iterator[set[Name]]:
        for target in targets:
            yield self._visitors.setdefault(target.server, set())
            for database in target.parts:
                yield self._readers.setdefault((target.server, database), set())
