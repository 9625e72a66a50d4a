"""A connection that is cut or falls silent at any byte leaves nothing visible, hangs nobody, and the next try works."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ssh.faults import Act, Direction, SshProxy, ssh_proxy
from tests.ssh.server import SshServer
from tests.ssh.stores import IMPATIENT, QUICK, open_sftp_folder

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.sftp.downloading import SftpReader
from strongroom.stores.sftp.store import SftpFolder

KEY = "default/shop/point/database.dump"
CONTENT = os.urandom(6 << 20)


@pytest.fixture
def proxy(ssh_server: SshServer) -> Iterator[SshProxy]:
    with ssh_proxy(ssh_server.port) as proxy:
        yield proxy


@pytest.fixture
def folder(ssh_server: SshServer) -> str:
    return ssh_server.make_folder()


@pytest.fixture
def store(ssh_server: SshServer, proxy: SshProxy, folder: str, tmp_path: Path) -> SftpFolder:
    return open_sftp_folder(tmp_path, ssh_server, folder, QUICK, port=proxy.port)


def put(store: SftpFolder, content: bytes = CONTENT) -> None:
    with store.create(KEY) as writer:
        writer.write(content)
        writer.commit()


def get(store: SftpFolder) -> bytes:
    with store.open(KEY) as reader:
        return read_all(reader)


@pytest.mark.parametrize(
    ("act", "after_bytes"), [("cut", 500), ("cut", 5_000), ("cut", 3 << 20), ("stall", 3 << 20)]
)
def test_a_write_that_breaks_off_is_told_and_the_next_one_works(
    ssh_server: SshServer, proxy: SshProxy, folder: str, tmp_path: Path, act: Act, after_bytes: int
) -> None:
    patience = QUICK if act == "cut" else IMPATIENT
    store = open_sftp_folder(tmp_path, ssh_server, folder, patience, port=proxy.port)
    proxy.fail(act, after_bytes, times=1)
    with pytest.raises(StrongroomError) as caught:
        put(store)
    assert caught.value.reason is Reason.StoreUnreachable, caught.value.message
    assert caught.value.message.startswith("sftp.host")
    assert list(store.list()) == []
    put(store)
    assert get(store) == CONTENT


@pytest.mark.parametrize("direction", ["up", "down"])
def test_whatever_breaks_at_the_end_of_a_commit_its_word_is_true(
    store: SftpFolder, proxy: SshProxy, direction: Direction
) -> None:
    put(store, b"whole")
    total = proxy.passed[direction]
    store.delete(KEY)
    outcomes = {
        outcome_of_a_cut(store, proxy, direction, total - before) for before in range(-600, 1500, 300)
    }
    assert outcomes == {"committed", Reason.StoreUnreachable.name}


def outcome_of_a_cut(store: SftpFolder, proxy: SshProxy, direction: Direction, after_bytes: int) -> str:
    """What the commit says; asserted is that it is so."""
    proxy.drop()
    proxy.fail("cut", after_bytes, direction, times=1)
    try:
        put(store, b"whole")
        outcome = "committed"
    except StrongroomError as error:
        outcome = error.reason.name
    proxy.fault = None
    assert [found.key for found in store.list()] == ([KEY] if outcome == "committed" else [])
    store.delete(KEY)
    return outcome


@pytest.mark.parametrize("act", ["cut", "stall"])
def test_a_read_that_breaks_off_goes_on_over_another_connection(
    ssh_server: SshServer, proxy: SshProxy, folder: str, tmp_path: Path, act: Act
) -> None:
    patience = QUICK if act == "cut" else IMPATIENT
    store = open_sftp_folder(tmp_path, ssh_server, folder, patience, port=proxy.port)
    put(store)
    proxy.drop()
    before = proxy.connections
    proxy.fail(act, 2 << 20, "down", times=1)
    assert get(store) == CONTENT
    assert proxy.connections == before + 2


def test_a_read_from_a_server_that_went_away_ends(store: SftpFolder, proxy: SshProxy) -> None:
    put(store)
    proxy.drop()
    proxy.fail("cut", 500, "down")
    with pytest.raises(StrongroomError) as caught:
        get(store)
    assert caught.value.reason is Reason.StoreUnreachable


def test_a_file_that_is_cut_while_it_is_read_is_no_copy(
    store: SftpFolder, ssh_server: SshServer, folder: str
) -> None:
    put(store)
    path = ssh_server.files / folder / KEY
    with store.open(KEY) as reader:
        os.truncate(path, 1000)
        with pytest.raises(StrongroomError, match="changed, or was cut"):
            read_all(reader)


def read_all(reader: SftpReader) -> bytes:
    content, buffer = bytearray(), memoryview(bytearray(1 << 20))
    while count := reader.readinto(buffer):
        content += buffer[:count]
    return bytes(content)


def test_an_idle_connection_that_died_is_replaced(store: SftpFolder, proxy: SshProxy) -> None:
    put(store, b"one")
    proxy.drop()
    assert get(store) == b"one"
    assert proxy.connections == 2


def test_work_one_after_another_needs_one_connection(store: SftpFolder, proxy: SshProxy) -> None:
    for _ in range(3):
        put(store, b"one")
        get(store)
        store.probe()
        store.delete(KEY)
    assert proxy.connections == 1
