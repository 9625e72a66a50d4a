"""What is wrong with a server, a login or a folder is told by reason and by the field to look at."""

import socket
from pathlib import Path
from typing import Any

import pytest
from tests.ssh.server import PLACE, SMALL_BYTES, SshServer, make_key
from tests.ssh.stores import IMPATIENT, PASSWORD, open_sftp_folder

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.sftp.store import SftpFolder

KEY = "a/key"


@pytest.fixture
def folder(ssh_server: SshServer) -> str:
    return ssh_server.make_folder()


def use(store: SftpFolder, content: bytes = b"content") -> None:
    store.probe()
    with store.create(KEY) as writer:
        writer.write(content)
        writer.commit()
    store.delete(KEY)


def failure_of(store: SftpFolder, content: bytes = b"content") -> StrongroomError:
    with pytest.raises(StrongroomError) as caught:
        use(store, content)
    return caught.value


def with_login(
    tmp_path: Path, ssh_server: SshServer, folder: str, key: str, text: str, **more: Any
) -> SftpFolder:
    """A store whose Secret holds something else."""
    store = open_sftp_folder(tmp_path, ssh_server, folder, **more)
    (tmp_path / "secrets" / "vault-login" / key).write_text(text)
    return store


def test_a_key_that_the_server_does_not_know_is_told(
    ssh_server: SshServer, folder: str, tmp_path: Path
) -> None:
    make_key(tmp_path / "other")
    failure = failure_of(with_login(tmp_path, ssh_server, folder, "key", (tmp_path / "other").read_text()))
    assert failure.reason is Reason.AuthenticationFailed
    assert failure.message.startswith("sftp.privateKeySecret:")
    assert "user vault" in failure.message


def test_a_wrong_password_is_told_and_not_shown(ssh_server: SshServer, folder: str, tmp_path: Path) -> None:
    by_password = {"privateKeySecret": None, "passwordSecret": PASSWORD}
    store = with_login(tmp_path, ssh_server, folder, "password", "canary-of-a-wrong-word", **by_password)
    failure = failure_of(store)
    assert (failure.reason, "canary" in failure.message) == (Reason.AuthenticationFailed, False)
    assert failure.message.startswith("sftp.passwordSecret:")


@pytest.mark.parametrize("content", ["", "\n", "two\nlines"])
def test_a_secret_that_holds_no_password_is_told(
    ssh_server: SshServer, folder: str, tmp_path: Path, content: str
) -> None:
    by_password = {"privateKeySecret": None, "passwordSecret": PASSWORD}
    store = with_login(tmp_path, ssh_server, folder, "password", content, **by_password)
    assert failure_of(store).reason is Reason.AuthenticationFailed


def test_a_key_with_a_passphrase_is_refused_before_the_server_is_asked(
    ssh_server: SshServer, folder: str, tmp_path: Path
) -> None:
    make_key(tmp_path / "sealed", passphrase="canary")
    sealed = (tmp_path / "sealed").read_text()
    failure = failure_of(with_login(tmp_path, ssh_server, folder, "key", sealed, port=9))
    assert (failure.reason, "has a passphrase" in failure.message) == (Reason.KeyUnusable, True)
    assert "key key of Secret vault-login" in failure.message


@pytest.mark.parametrize("content", ["", "nonsense", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== x"])
def test_what_is_no_private_key_is_refused_before_the_server_is_asked(
    ssh_server: SshServer, folder: str, tmp_path: Path, content: str
) -> None:
    failure = failure_of(with_login(tmp_path, ssh_server, folder, "key", content, port=9))
    assert (failure.reason, "no private key" in failure.message) == (Reason.KeyUnusable, True)
    begin = "sftp.privateKeySecret: key key of Secret vault-login is no private key that ssh can read ("
    assert failure.message.startswith(begin)
    assert "key" not in failure.message.removeprefix(begin)


def test_a_key_is_read_with_the_line_breaks_that_secrets_get(
    ssh_server: SshServer, folder: str, tmp_path: Path
) -> None:
    for text in (ssh_server.private_key().strip(), ssh_server.private_key().replace("\n", "\r\n")):
        use(with_login(tmp_path, ssh_server, folder, "key", text))


def test_a_secret_that_is_missing_is_told(ssh_server: SshServer, folder: str, tmp_path: Path) -> None:
    store = open_sftp_folder(tmp_path, ssh_server, folder, privateKeySecret={"name": "gone", "key": "key"})
    failure = failure_of(store)
    assert (failure.reason, failure.message.split(":")[0]) == (Reason.SecretMissing, "sftp.privateKeySecret")


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_every_type_of_host_key_is_known_again(
    ssh_server: SshServer, folder: str, tmp_path: Path, kind: str
) -> None:
    use(open_sftp_folder(tmp_path, ssh_server, folder, hostKey=ssh_server.host_key(kind)))


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_another_host_key_is_refused_with_the_fingerprint_that_was_found(
    ssh_server: SshServer, folder: str, tmp_path: Path, kind: str
) -> None:
    other = make_key(tmp_path / "other", kind)
    failure = failure_of(open_sftp_folder(tmp_path, ssh_server, folder, hostKey=other))
    assert (failure.reason, failure.message.split(":")[0]) == (Reason.TlsFailed, "sftp.hostKey")
    assert "SHA256:" in failure.message


def test_a_server_that_is_away_is_told(ssh_server: SshServer, folder: str, tmp_path: Path) -> None:
    for more in ({"port": 9}, {"host": "no-such-host.invalid"}):
        failure = failure_of(open_sftp_folder(tmp_path, ssh_server, folder, **more))
        assert failure.reason is Reason.StoreUnreachable
        assert failure.message.startswith("sftp.host")


def test_a_server_that_takes_connections_and_says_nothing_is_told(
    ssh_server: SshServer, folder: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        failure = failure_of(open_sftp_folder(tmp_path, ssh_server, folder, IMPATIENT, port=port))
    assert failure.reason is Reason.StoreUnreachable


def test_an_account_without_sftp_is_told(ssh_server: SshServer, folder: str, tmp_path: Path) -> None:
    only_rsync = {"name": "vault-login", "key": "restricted"}
    failure = failure_of(open_sftp_folder(tmp_path, ssh_server, folder, privateKeySecret=only_rsync))
    assert failure.reason in {Reason.StoreUnreachable, Reason.StoreDenied, Reason.StoreFailed}
    assert failure.message.startswith("sftp.")


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("no-such-folder", Reason.StoreMissing, "never made"),
        ("file", Reason.StoreNotDirectory, "not a folder"),
        ("read-only", Reason.StoreReadOnly, "read-only"),
        ("closed", Reason.StoreDenied, "nothing can be written"),
    ],
)
def test_a_folder_that_cannot_be_written_is_told(
    ssh_server: SshServer, tmp_path: Path, name: str, reason: Reason, words: str
) -> None:
    (ssh_server.files / "file").write_text("")
    (ssh_server.files / "closed").mkdir(mode=0o755, exist_ok=True)
    failure = failure_of(open_sftp_folder(tmp_path, ssh_server, name))
    assert (failure.reason, words in failure.message) == (reason, True), failure.message
    assert f"sftp.path {PLACE}/{name}" in failure.message


def test_a_folder_that_goes_away_is_missing_to_a_listing_and_to_a_write_too(
    ssh_server: SshServer, tmp_path: Path
) -> None:
    store = open_sftp_folder(tmp_path, ssh_server, "gone")
    for act in (lambda: list(store.list("a/b/")), lambda: list(store.list()), lambda: store.create(KEY)):
        with pytest.raises(StrongroomError) as caught:
            act()
        assert caught.value.reason is Reason.StoreMissing


def test_a_full_disk_is_told_and_nothing_of_the_key_stays(ssh_server: SshServer, tmp_path: Path) -> None:
    store = open_sftp_folder(tmp_path, ssh_server, "small")
    free = store.probe().free_bytes
    assert free is not None
    assert 0 < free <= SMALL_BYTES
    failure = failure_of(store, bytes(2 * SMALL_BYTES))
    assert (failure.reason, "no room left" in failure.message) == (Reason.StoreFull, True), failure.message
    assert list(store.list()) == []
    assert store.probe().free_bytes == free
    use(store)


def test_links_below_the_folder_are_not_followed(ssh_server: SshServer, folder: str, tmp_path: Path) -> None:
    other = ssh_server.make_folder()
    (ssh_server.files / other / "key").write_text("foreign")
    (ssh_server.files / folder / "a").symlink_to(f"{PLACE}/{other}")
    (ssh_server.files / folder / "b").symlink_to(f"{PLACE}/{other}/key")
    store = open_sftp_folder(tmp_path, ssh_server, folder)
    for act in (lambda: store.create("a/new"), lambda: store.open("a/key"), lambda: store.delete("a/key"), lambda: store.open("b")):  # fmt: skip
        with pytest.raises(StrongroomError, match="symbolic link"):
            act()
    assert [found.key for found in store.list()] == []
    assert (ssh_server.files / other / "key").read_text() == "foreign"
