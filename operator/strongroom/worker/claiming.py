"""One worker at a time under a policy's keys: two of one order would commit it twice, and sweep each other."""

from contextlib import ExitStack

from strongroom.api.errors import Reason
from strongroom.stores.store import Store
from strongroom.worker.copying import Copies


def claim_all(claims: ExitStack, copies: Copies, prefix: str) -> None:
    """Keep every other worker away from a prefix (with its final slash) of each good store.

    One store that is claimed by another ends this order: the other worker may be at this very run.
    """

    def claim(_name: str, store: Store) -> None:
        claims.enter_context(store.claim(prefix))

    copies.each(claim)
    busy = (error for error in copies.failures.values() if error.reason is Reason.TargetBusy)
    if (error := next(busy, None)) is not None:
        raise error
