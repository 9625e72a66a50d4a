"""Who owns whom: an index of ownerReferences, kept up by the store's events."""

from collections import defaultdict
from collections.abc import Iterable

from strongroom.apiserver.resources import Object
from strongroom.apiserver.storage.records import Event, Key, Stored


def owners_of(obj: Object) -> list[Object]:
    """The object's ownerReferences."""
    return obj["metadata"].get("ownerReferences") or []


class Owners:
    """Dependents by the uid of their owner."""

    def __init__(self, stored: Iterable[Stored]) -> None:
        """Index what exists."""
        self._dependents: dict[str, set[Key]] = defaultdict(set)
        for one in stored:
            self._add(one)

    def dependents(self, uid: str) -> set[Key]:
        """Keys of the objects that name this owner."""
        return set(self._dependents.get(uid, ()))

    def follow(self, event: Event) -> None:
        """Take in a change."""
        if event.previous is not None:
            for owner in owners_of(event.previous.object):
                self._dependents[owner["uid"]].discard(event.current.key)
                if not self._dependents[owner["uid"]]:
                    del self._dependents[owner["uid"]]
        if event.operation != "DELETED":
            self._add(event.current)

    def _add(self, stored: Stored) -> None:
        for owner in owners_of(stored.object):
            self._dependents[owner["uid"]].add(stored.key)
