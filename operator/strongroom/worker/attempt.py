"""One attempt at a recovery point: what it made visible, so that a failure leaves nothing behind."""

import logging
from dataclasses import dataclass, field

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import MANIFEST_NAME, SIGNATURE_NAME
from strongroom.stores.store import Store
from strongroom.worker.copying import Copies, named

log = logging.getLogger(__name__)


@dataclass
class Attempt:
    """The keys of one attempt, the same in every store. It only ever takes back what it made itself."""

    prefix: str
    copies: Copies
    _made: dict[str, list[str]] = field(default_factory=dict)
    _marked: set[str] = field(default_factory=set)

    @property
    def manifest_key(self) -> str:
        """Key of the commit mark."""
        return f"{self.prefix}/{MANIFEST_NAME}"

    def own(self, store: str, key: str) -> None:
        """Remember a key that this attempt has made visible in that store."""
        self._made.setdefault(store, []).append(key)

    def undo(self) -> None:
        """Take back what no manifest vouches for; what cannot be removed stays invisible and is swept by a later run.

        A store whose mark was begun and cut short by a signal is left alone: either it is whole, or it is invisible. So is
        one that hangs, and one that is behind a recovery point which others hold: what it has is of use when it is caught up.
        """
        spared = self._marked | self.copies.hanging | (self.copies.behind.keys() if self._marked else set())
        for name, keys in self._made.items():
            if name not in spared:
                self._clear(name, self.copies.stores[name], keys)

    def mark(self, name: str, store: Store, manifest: bytes, signature: bytes | None = None) -> None:
        """Write the manifest to one store, last of all: its signature lies there before.

        Stores may be marked at once, each in a thread of its own.
        """
        if signature is not None:
            self._sign(name, store, signature)
        self._marked.add(name)
        try:
            with store.create(self.manifest_key) as writer:
                writer.write(manifest)
                writer.commit()
        except StrongroomError as error:
            if error.reason is not Reason.KeyExists:
                self._withdraw(name, store)
            raise

    def _withdraw(self, name: str, store: Store) -> None:
        """After a mark that failed: make sure that it is gone before its data may go."""
        try:
            store.delete(self.manifest_key)
        except StrongroomError as error:
            log.warning("store %s: %s stays with its data: %s", name, self.manifest_key, error.message)
        else:
            self._marked.discard(name)

    def _clear(self, name: str, store: Store, keys: list[str]) -> None:
        try:
            with named(name):
                for key in keys:
                    store.delete(key)
        except StrongroomError as error:
            log.warning("left for a later run to sweep: %s", error.message)

    def _sign(self, name: str, store: Store, signature: bytes) -> None:
        key = f"{self.prefix}/{SIGNATURE_NAME}"
        with store.create(key) as writer:
            writer.write(signature)
            writer.commit()
        self.own(name, key)
