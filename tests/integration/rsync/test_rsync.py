"""Stores by rsync: accounts that rrsync restricts, what is wrong told by reason and field, and connections that break."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.ssh.faults import SshProxy, ssh_proxy
from tests.ssh.server import PLACE, SMALL_BYTES, SshServer, make_key
from tests.ssh.stores import IMPATIENT, QUICK, RESTRICTED, open_rsync_folder

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.rsync.store import RsyncFolder
from strongroom.stores.store import KeyMissingError

KEY = "default/shop/point/database [x] ü.dump"
AHEAD = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def folder(ssh_server: SshServer) -> str:
    return ssh_server.make_folder()


@pytest.fixture
def proxy(ssh_server: SshServer) -> Iterator[SshProxy]:
    with ssh_proxy(ssh_server.port) as proxy:
        yield proxy


def put(store: RsyncFolder, content: bytes = b"content", key: str = KEY) -> None:
    with store.create(key) as writer:
        writer.write(content)
        writer.commit()


def get(store: RsyncFolder, key: str = KEY) -> bytes:
    content, buffer = bytearray(), memoryview(bytearray(1 << 20))
    with store.open(key) as reader:
        while count := reader.readinto(buffer):
            content += buffer[:count]
    return bytes(content)


def failure_of(store: RsyncFolder, content: bytes = b"content") -> StrongroomError:
    with pytest.raises(StrongroomError) as caught:
        use(store, content)
    return caught.value


def use(store: RsyncFolder, content: bytes) -> None:
    store.probe()
    put(store, content)


def test_an_account_that_rrsync_restricts_is_enough(
    ssh_server: SshServer, folder: str, tmp_path: Path
) -> None:
    store = open_rsync_folder(tmp_path, ssh_server, place=f"/{folder}", privateKeySecret=RESTRICTED)
    store.probe()
    assert [path.name for path in (ssh_server.files / folder).iterdir()] == []
    put(store)
    with pytest.raises(StrongroomError, match="exists already"):
        store.create(KEY)
    assert [(found.key, found.size_bytes) for found in store.list("default/shop/")] == [(KEY, 7)]
    assert get(store) == b"content"
    with pytest.raises(KeyMissingError):
        store.open("default/other")
    with store.create("default/dead"):
        assert (store.sweep("default/", AHEAD), store.sweep("default/", AHEAD)) == (1, 0)
    store.delete(KEY)
    assert [path.name for path in (ssh_server.files / folder).iterdir()] == []
    missing = open_rsync_folder(tmp_path, ssh_server, place="/missing", privateKeySecret=RESTRICTED)
    assert failure_of(missing).reason is Reason.StoreMissing
    assert not (ssh_server.files / "missing").exists()


def test_nothing_but_the_key_is_deleted_whatever_lies_beside_it(
    ssh_server: SshServer, folder: str, tmp_path: Path
) -> None:
    store = open_rsync_folder(tmp_path, ssh_server, folder)
    put(store)
    place = (ssh_server.files / folder / KEY).parent
    others = ["database x ü.dump", "database [x] ü.dump.2", "database", "[x]", "*", " - *", ".hidden"]
    for name in others:
        (place / name).write_text("foreign")
    store.delete(KEY)
    store.delete("default/shop/point/*")
    assert sorted(path.name for path in place.iterdir()) == sorted(set(others) - {"*"})


def test_links_below_the_folder_are_not_followed(ssh_server: SshServer, folder: str, tmp_path: Path) -> None:
    other = ssh_server.make_folder()
    (ssh_server.files / other / "key").write_text("foreign")
    (ssh_server.files / folder / "a").symlink_to(f"{PLACE}/{other}")
    store = open_rsync_folder(tmp_path, ssh_server, folder)
    with pytest.raises(StrongroomError, match="symbolic link"):
        store.create("a/new")
    with pytest.raises(KeyMissingError):
        store.open("a/key")
    store.delete("a/key")
    assert [found.key for found in store.list()] == []
    assert (ssh_server.files / other / "key").read_text() == "foreign"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no-such-folder", Reason.StoreMissing),
        ("plain-file", Reason.StoreNotDirectory),
        ("read-only", Reason.StoreReadOnly),
        ("closed-folder", Reason.StoreDenied),
    ],
)
def test_a_folder_that_cannot_be_written_is_told(
    ssh_server: SshServer, tmp_path: Path, name: str, reason: Reason
) -> None:
    (ssh_server.files / "plain-file").write_text("")
    (ssh_server.files / "closed-folder").mkdir(mode=0o755, exist_ok=True)
    failure = failure_of(open_rsync_folder(tmp_path, ssh_server, name))
    assert failure.reason is reason, failure.message
    assert failure.message.startswith(f"rsync.path {PLACE}/{name}:")
    assert "rsync error" not in failure.message
    assert failure.message.count("exit code") == 1


def test_a_full_disk_is_told_and_nothing_of_the_key_stays(ssh_server: SshServer, tmp_path: Path) -> None:
    store = open_rsync_folder(tmp_path, ssh_server, "small")
    failure = failure_of(store, os.urandom(2 * SMALL_BYTES))
    assert failure.reason is Reason.StoreFull, failure.message
    assert "rsync error" not in failure.message
    assert list(store.list()) == []
    assert store.sweep("", AHEAD) == 0


def test_what_stands_against_a_login_is_told_by_its_field(
    ssh_server: SshServer, folder: str, tmp_path: Path
) -> None:
    strange = failure_of(open_rsync_folder(tmp_path, ssh_server, folder, hostKey=make_key(tmp_path / "k")))
    assert (strange.reason, strange.message.split(":")[0]) == (Reason.TlsFailed, "rsync.hostKey")
    away = failure_of(open_rsync_folder(tmp_path, ssh_server, folder, port=9))
    assert (away.reason, away.message.split(" ")[0]) == (Reason.StoreUnreachable, "rsync.host")
    store = open_rsync_folder(tmp_path, ssh_server, folder)
    (tmp_path / "secrets/vault-login/key").write_text((tmp_path / "k").read_text())
    unknown = failure_of(store)
    assert unknown.reason is Reason.AuthenticationFailed
    assert unknown.message.startswith("rsync.privateKeySecret:")


def test_a_connection_that_breaks_while_a_file_is_sent_is_made_again_and_the_file_is_whole(
    ssh_server: SshServer, proxy: SshProxy, folder: str, tmp_path: Path
) -> None:
    store = open_rsync_folder(tmp_path, ssh_server, folder, QUICK, port=proxy.port)
    content = os.urandom(4 << 20)
    proxy.fail("cut", 2 << 20, times=1)
    put(store, content)
    assert get(store) == content
    assert proxy.fault is not None
    assert proxy.fault.times == 0


def test_a_server_that_falls_silent_leaves_nothing_visible(
    ssh_server: SshServer, proxy: SshProxy, folder: str, tmp_path: Path
) -> None:
    store = open_rsync_folder(tmp_path, ssh_server, folder, IMPATIENT, port=proxy.port)
    with store.create(KEY) as writer:
        writer.write(os.urandom(4 << 20))
        proxy.fail("stall", 1 << 20)
        with pytest.raises(StrongroomError) as caught:
            writer.commit()
        proxy.fault = None
    assert caught.value.reason is Reason.StoreUnreachable
    assert list(store.list()) == []
    assert list((tmp_path / "scratch").rglob("*.dump")) == []
