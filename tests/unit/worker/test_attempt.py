"""An attempt takes back what it made, and nothing else."""

import pytest

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.memory import MemoryStore, MemoryWriter
from strongroom.worker.attempt import Attempt
from strongroom.worker.copying import Copies
from strongroom.worker.ending import EndedError


def put(store: MemoryStore, key: str, content: bytes = b"data") -> None:
    with store.create(key) as writer:
        writer.write(content)
        writer.commit()


def keys(store: MemoryStore) -> list[str]:
    return [found.key for found in store.list()]


def test_a_failed_attempt_leaves_nothing_of_its_own_and_everything_of_others() -> None:
    store = MemoryStore()
    put(store, "n/p/point/theirs")
    put(store, "n/p/point/ours")
    attempt = Attempt("n/p/point", Copies({"disk": store}))
    attempt.own("disk", "n/p/point/ours")
    attempt.undo()
    assert keys(store) == ["n/p/point/theirs"]


def test_what_a_manifest_vouches_for_is_never_taken_back() -> None:
    store = MemoryStore()
    put(store, "n/p/point/ours")
    attempt = Attempt("n/p/point", Copies({"disk": store}))
    attempt.own("disk", "n/p/point/ours")
    attempt.commit(b"{}")
    attempt.undo()
    assert keys(store) == ["n/p/point/manifest.json", "n/p/point/ours"]


FULL = StrongroomError(Reason.StoreFull, "just after the name was given")
STOP = EndedError(StrongroomError(Reason.Cancelled, "just after the name was given"))


@pytest.mark.parametrize("failure", [FULL, STOP])
def test_a_manifest_that_fails_is_withdrawn_and_one_cut_short_is_left_as_it_is(
    failure: BaseException,
) -> None:
    class Interrupted(MemoryStore):
        def publish(self, *arguments: object) -> None:
            super().publish(*arguments)
            raise failure

    store = Interrupted()
    attempt = Attempt("n/p/point", Copies({"disk": store}))
    with pytest.raises(type(failure)):
        put(store, "n/p/point/ours")
    attempt.own("disk", "n/p/point/ours")
    with pytest.raises(type(failure)):
        attempt.commit(b"{}")
    attempt.undo()
    whole = ["n/p/point/manifest.json", "n/p/point/ours"]
    assert keys(store) == (whole if failure is STOP else [])


def test_one_store_that_fails_does_not_cost_the_other() -> None:
    class Full(MemoryStore):
        def publish(self, *_: object) -> None:
            raise StrongroomError(Reason.StoreFull, "full")

    good, full = MemoryStore(), Full()
    copies = Copies({"good": good, "full": full})
    Attempt("n/p/point", copies).commit(b"{}")
    assert keys(good) == ["n/p/point/manifest.json"]
    assert copies.failures["full"].message == "store full: full"


def test_a_signature_lies_there_before_the_manifest_and_goes_when_the_manifest_fails() -> None:
    class Unmarked(MemoryStore):
        def publish(self, writer: MemoryWriter, data: bytes) -> None:
            if writer.key.endswith("manifest.json"):
                raise StrongroomError(Reason.StoreFull, "full")
            super().publish(writer, data)

    good, full = MemoryStore(), Unmarked()
    attempt = Attempt("n/p/point", Copies({"good": good, "full": full}))
    attempt.commit(b"{}", b"signature")
    attempt.undo()
    assert keys(good) == ["n/p/point/manifest.json", "n/p/point/manifest.json.sig"]
    assert keys(full) == []
