import pytest
from pydantic import ValidationError

from strongroom.api.backupstore import RsyncStore, SftpStore

KEYS = {
    "ed25519": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN78xiVUYIUdvLTX1burMQKWaSCA6hVRj1wA85iAd7OW",
    "ecdsa": "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAAA root@backup",
    "rsa": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 a comment",
}
LOGIN = {"name": "login", "key": "key"}


def sftp(**more):
    place = {
        "host": "backup.example",
        "user": "strongroom",
        "path": "/srv/backups",
        "hostKey": KEYS["ed25519"],
    }
    return SftpStore.model_validate({**place, "privateKeySecret": LOGIN, **more})


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_host_keys_of_every_usual_type_are_taken_with_or_without_a_comment(key):
    assert sftp(hostKey=key).host_key == key


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"privateKeySecret": None}, "exactly one of privateKeySecret and passwordSecret"),
        ({"passwordSecret": LOGIN}, "exactly one of privateKeySecret and passwordSecret"),
        ({"hostKey": KEYS["ed25519"].replace("ssh-ed25519", "ssh-rsa")}, "holds no key of the type ssh-rsa"),
        ({"hostKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5A"}, "no base64"),
        ({"hostKey": f"backup.example {KEYS['rsa']}"}, "hostKey"),
        ({"hostKey": "ssh-dss AAAAB3NzaC1kc3MAAA=="}, "hostKey"),
        ({"hostKey": f"{KEYS['rsa']}\n{KEYS['ed25519']}"}, "hostKey"),
        ({"user": "-oProxyCommand=x"}, "user"),
        ({"user": "two words"}, "user"),
        ({"host": "-oProxyCommand=x"}, "host"),
        ({"path": "backups"}, "path"),
    ],
)
def test_what_no_server_could_be_is_refused(more, said):
    with pytest.raises(ValidationError, match=said):
        sftp(**more)


@pytest.mark.parametrize(
    "path", ["/srv/my backups", "/srv/$(id)", "/srv/*", "/srv/~x", "/srv//x", "/", "-/x"]
)
def test_a_path_that_a_shell_could_take_for_something_else_is_refused_for_rsync(path):
    place = {"host": "h", "user": "u", "hostKey": KEYS["rsa"], "privateKeySecret": LOGIN}
    assert (
        RsyncStore.model_validate({**place, "path": "/srv/my-backups/"}).file("a/b") == "/srv/my-backups/a/b"
    )
    with pytest.raises(ValidationError, match="path"):
        RsyncStore.model_validate({**place, "path": path})


def test_the_address_names_server_and_folder():
    assert sftp(path="/srv/backups/").address == "backup.example:22/srv/backups"
