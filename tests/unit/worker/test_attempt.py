"""An attempt takes back what it made, and nothing else."""

import contextlib

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
    attempt.mark("disk", store, b"{}")
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
        attempt.mark("disk", store, b"{}")
    attempt.undo()
    whole = ["n/p/point/manifest.json", "n/p/point/ours"]
    assert keys(store) == (whole if failure is STOP else [])


def test_what_a_store_that_is_behind_has_got_is_kept_for_catching_it_up_if_others_hold_the_backup() -> None:
    for marks in (True, False):
        good, slow = MemoryStore(), MemoryStore()
        attempt = Attempt("n/p/point", Copies({"good": good, "slow": slow}))
        for name, store in attempt.copies.stores.items():
            put(store, "n/p/point/ours")  # type: ignore[arg-type]
            attempt.own(name, "n/p/point/ours")
        attempt.copies.set_aside("slow", "too slow")
        if marks:
            attempt.mark("good", good, b"{}")
        attempt.undo()
        assert (keys(slow) == ["n/p/point/ours"]) == marks


def test_a_store_that_hangs_is_not_asked_to_delete() -> None:
    store = MemoryStore()
    put(store, "n/p/point/ours")
    attempt = Attempt("n/p/point", Copies({"disk": store}))
    attempt.own("disk", "n/p/point/ours")
    attempt.copies.hanging.add("disk")
    attempt.undo()
    assert keys(store) == ["n/p/point/ours"]


def test_a_signature_lies_there_before_the_manifest_and_goes_when_the_manifest_fails() -> None:
    class Unmarked(MemoryStore):
        def publish(self, writer: MemoryWriter, data: bytes) -> None:
            if writer.key.endswith("manifest.json"):
                raise StrongroomError(Reason.StoreFull, "full")
            super().publish(writer, data)

    good, full = MemoryStore(), Unmarked()
    attempt = Attempt("n/p/point", Copies({"good": good, "full": full}))
    for name, store in attempt.copies.stores.items():
        with contextlib.suppress(StrongroomError):
            attempt.mark(name, store, b"{}", b"signature")
    attempt.undo()
    assert keys(good) == ["n/p/point/manifest.json", "n/p/point/manifest.json.sig"]
    assert keys(full) == []
