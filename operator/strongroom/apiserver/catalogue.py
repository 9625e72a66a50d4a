"""Everything that is served, found by path or by kind. CRDs come and go while the server runs."""

from collections.abc import Iterable

from strongroom.apiserver.resources import Resource


class Catalogue:
    """The served resources; `edition` rises with every change, for those who keep documents made from it."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        """Begin with these."""
        self._by_place = {(r.group, r.version, r.plural): r for r in resources}
        self.edition = 0

    def add(self, resource: Resource) -> None:
        """Serve it, instead of what was served in its place."""
        self.remove(resource.storage_name)
        self._by_place[resource.group, resource.version, resource.plural] = resource

    def remove(self, storage_name: str) -> None:
        """Serve it no more."""
        self._by_place = {place: r for place, r in self._by_place.items() if r.storage_name != storage_name}
        self.edition += 1

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at a place in the API."""
        return self._by_place.get((group, version, plural))

    def find_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource of a kind in the group of `api_version`, as owner references name it."""
        group = api_version.rpartition("/")[0]
        return next((r for r in self._by_place.values() if (r.group, r.kind) == (group, kind)), None)

    def find_stored(self, storage_name: str) -> Resource | None:
        """The resource whose objects carry this name in their keys."""
        return next((r for r in self._by_place.values() if r.storage_name == storage_name), None)

    def groups(self) -> dict[str, list[str]]:
        """Versions by group, core first."""
        groups: dict[str, list[str]] = {}
        for group, version, _ in self._by_place:
            versions = groups.setdefault(group, [])
            if version not in versions:
                versions.append(version)
        return dict(sorted(groups.items(), key=lambda item: (item[0] != "", item[0])))

    def of_version(self, group: str, version: str) -> list[Resource]:
        """The resources of one group version, by plural."""
        found = [r for r in self._by_place.values() if (r.group, r.version) == (group, version)]
        return sorted(found, key=lambda r: r.plural)

    def all(self) -> list[Resource]:
        """Every resource."""
        return list(self._by_place.values())
