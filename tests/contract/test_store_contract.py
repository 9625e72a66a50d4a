"""Every store keeps the contract of strongroom.stores.store. A new one is added to STORES."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.s3.stores import open_bucket
from tests.ssh.stores import open_rsync_folder, open_sftp_folder

from strongroom.api.backupstore import StoreLimits
from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.keys import checked
from strongroom.stores.limits.limiting import limited
from strongroom.stores.local import LocalStore
from strongroom.stores.memory import MemoryStore
from strongroom.stores.store import Capability, KeyMissingError, Store

Request = pytest.FixtureRequest


def bucket_store(path: Path, request: Request) -> Store:
    server, bucket = request.getfixturevalue("s3_server"), request.getfixturevalue("s3_bucket")
    return open_bucket(path, server, bucket, prefix=f"contract/{uuid4()}")


def versioned_bucket_store(path: Path, request: Request) -> Store:
    server, bucket = request.getfixturevalue("s3_server"), request.getfixturevalue("versioned_bucket")
    return open_bucket(path, server, bucket, prefix=f"contract/{uuid4()}/")


LIMITS = StoreLimits(
    upload_bytes_per_second=2**34, download_bytes_per_second=2**34, retry_for="1s", stall_timeout="1m"
)


def sftp_store(path: Path, request: Request) -> Store:
    server = request.getfixturevalue("ssh_server")
    return open_sftp_folder(path, server, server.make_folder())


def rsync_store(path: Path, request: Request) -> Store:
    server = request.getfixturevalue("ssh_server")
    return open_rsync_folder(path, server, server.make_folder())


STORES: dict[str, Callable[[Path, Request], Store]] = {
    "local": lambda path, _: LocalStore(path),
    "local within limits": lambda path, _: limited(LocalStore(path), LIMITS),
    "memory within limits": lambda _, __: limited(MemoryStore(), LIMITS),
    "memory": lambda _, __: MemoryStore(),
    "s3": bucket_store,
    "s3 with versions": versioned_bucket_store,
    "sftp": sftp_store,
    "rsync": rsync_store,
}
BEGUN_BYTES = 17 << 20
"""More than any store keeps to itself: something of it lies in the place already."""
KEY = "default/shop/20260102T030405Z-run/database.shop.dump.zst"
LONG_AGO, FAR_AHEAD = datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(params=STORES)
def store(request: Request, tmp_path: Path) -> Store:
    return STORES[request.param](tmp_path, request)


def put(store: Store, key: str, content: bytes = b"content") -> None:
    with store.create(key) as writer:
        writer.write(content)
        writer.commit()


def get(store: Store, key: str) -> bytes:
    content, buffer = b"", memoryview(bytearray(7))
    with store.open(key) as reader:
        while count := reader.readinto(buffer):
            content += bytes(buffer[:count])
    return content


def keys(store: Store, prefix: str = "") -> list[str]:
    return [found.key for found in store.list(prefix)]


def refuses(reason: Reason) -> "pytest.RaisesExc[StrongroomError]":
    return pytest.RaisesExc(StrongroomError, check=lambda error: error.reason is reason)


@pytest.mark.parametrize("size", [0, 1, 7, 100_000])
def test_what_was_committed_is_read_back(store: Store, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    put(store, KEY, content)
    assert get(store, KEY) == content
    (found,) = store.list()
    assert (found.key, found.size_bytes) == (KEY, size)
    assert store.look(KEY) == found
    assert abs(found.modified - datetime.now(UTC)) < timedelta(minutes=1)


def test_nothing_is_visible_before_the_commit(store: Store) -> None:
    with store.create(KEY) as writer:
        writer.write(b"half")
        assert keys(store) == []
        assert store.look(KEY) is None
        with pytest.raises(KeyMissingError):
            store.open(KEY)
        writer.commit()
        assert keys(store) == [KEY]


def test_leaving_without_commit_leaves_nothing(store: Store) -> None:
    with store.create(KEY) as writer:
        writer.write(b"half")
    assert keys(store) == []
    assert store.sweep("", FAR_AHEAD) == 0
    put(store, KEY)


def test_abort_is_idempotent_and_harmless_after_a_commit(store: Store) -> None:
    with store.create(KEY) as writer:
        writer.abort()
        writer.abort()
    with store.create(KEY) as writer:
        writer.write(b"whole")
        writer.commit()
        writer.abort()
    assert get(store, KEY) == b"whole"


def test_the_writers_buffer_may_be_used_again(store: Store) -> None:
    buffer = bytearray(b"one")
    with store.create(KEY) as writer:
        writer.write(memoryview(buffer))
        buffer[:] = b"two"
        writer.write(buffer)
        writer.commit()
    assert get(store, KEY) == b"onetwo"


def test_a_committed_key_is_never_written_again(store: Store) -> None:
    put(store, KEY, b"first")
    with refuses(Reason.KeyExists):
        store.create(KEY)
    assert get(store, KEY) == b"first"


def test_of_two_writers_the_first_commit_wins(store: Store) -> None:
    with store.create(KEY) as one, store.create(KEY) as two:
        one.write(b"one")
        two.write(b"two")
        two.commit()
        with refuses(Reason.KeyExists):
            one.commit()
    assert get(store, KEY) == b"two"


def test_a_listing_is_in_the_order_of_the_text_and_by_prefix(store: Store) -> None:
    names = ["a/b/c", "a/b.c", "a-b", "a/b/a", "b", "aa/x"]
    for name in names:
        put(store, name)
    assert keys(store) == sorted(names)
    for prefix in ("a", "a/", "a/b", "a/b/", "b", "z", "z/y/"):
        assert keys(store, prefix) == sorted(name for name in names if name.startswith(prefix))


def test_deleting_is_idempotent_and_leaves_the_neighbours(store: Store) -> None:
    put(store, KEY)
    put(store, "default/shop/other/file")
    store.delete(KEY)
    store.delete(KEY)
    store.delete("never/was")
    assert keys(store) == ["default/shop/other/file"]
    put(store, KEY)


def test_a_sweep_takes_what_dead_writers_left_and_nothing_else(store: Store) -> None:
    put(store, "default/shop/done/file")
    dead = store.create(KEY)
    dead.write(bytes(BEGUN_BYTES))
    assert store.sweep("default/", LONG_AGO) == 0
    assert store.sweep("other/", FAR_AHEAD) == 0
    assert store.sweep("default/", FAR_AHEAD) == 1
    assert store.sweep("default/", FAR_AHEAD) == 0
    assert keys(store) == ["default/shop/done/file"]
    with pytest.raises(StrongroomError):
        dead.commit()
    dead.abort()


def test_a_missing_key_is_told(store: Store) -> None:
    with pytest.raises(KeyMissingError):
        store.open(KEY)
    assert store.look(KEY) is None
    put(store, f"{KEY}/below")
    assert store.look(KEY) is None


def test_a_probe_knows_the_free_space_where_it_says_so(store: Store) -> None:
    probe = store.probe()
    assert (probe.free_bytes is not None) == (Capability.FREE_SPACE in probe.capabilities)


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\nb", "a\0b", "a\\b", ".strongroom-x", "a/" + "x" * 256, "ü" * 128]
)  # fmt: skip
def test_keys_that_could_mean_something_else_are_refused(store: Store, key: str) -> None:
    for act in (store.create, store.open, store.look, store.delete):
        with refuses(Reason.InternalError):
            act(key)


@given(st.text())
def test_a_key_that_passes_stays_below_its_store(text: str) -> None:
    try:
        key = checked(text)
    except (StrongroomError, UnicodeEncodeError):
        return
    assert Path("/root", key).resolve().is_relative_to("/root/") or "/" not in key
    assert not key.startswith("/")


def test_a_claim_keeps_others_out_until_it_is_given_back_where_there_are_claims(store: Store) -> None:
    has_claims = Capability.CLAIMS in store.probe().capabilities
    others = refuses(Reason.TargetBusy) if has_claims else nullcontext()
    with store.claim("default/shop/"):
        put(store, KEY)
        with others, store.claim("default/shop/"):
            assert not has_claims
        with store.claim("default/other/"):
            store.delete(KEY)
    with store.claim("default/shop/"):
        pass
    assert keys(store) == []
