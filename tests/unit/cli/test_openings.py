from pathlib import Path

import pytest

from strongroom.api.backupstore import BackupStoreSpec
from strongroom.api.result import Artifact
from strongroom.cli.openings import opening_command, opening_in_store


def artifact(file: str, kind: str = "database", **more: object) -> Artifact:
    sizes = {"plain_bytes": 1, "plain_sha256": "0" * 64, "stored_bytes": 1, "stored_sha256": "0" * 64}
    return Artifact.model_validate({"source": "db", "kind": kind, "file": file, **sizes, **more})


@pytest.mark.parametrize(
    ("file", "more", "command"),
    [
        ("db.dump.zst", {}, "zstd -dc '/a b/db.dump.zst' | pg_restore --list"),
        ("db.dump", {}, "cat '/a b/db.dump' | pg_restore --list"),
        (
            "db.dump.zst.age",
            {"encryption": "age"},
            "age --decrypt --identity key.txt '/a b/db.dump.zst.age' | zstd -dc | pg_restore --list",
        ),
        (
            "db.dump.age",
            {"encryption": "age", "openedBy": "Passphrase"},
            "age --decrypt '/a b/db.dump.age' | pg_restore --list",
        ),
        (
            "media.tar.gz.gpg",
            {"encryption": "gpg", "kind": "files"},
            "gpg --decrypt '/a b/media.tar.gz.gpg' | gzip -dc | tar --list --verbose",
        ),
        (
            "db.dump.enc",
            {"encryption": "openssl", "iterations": 10_000},
            "openssl enc -d -aes-256-cbc -pbkdf2 -iter 10000 -md sha256 -in '/a b/db.dump.enc' | pg_restore --list",
        ),
    ],
)
def test_the_line_that_opens_a_file_takes_off_what_was_put_on(file: str, more: dict, command: str) -> None:
    assert opening_command(artifact(file, **more), Path("/a b") / file) == command


def test_a_file_that_comes_by_standard_input_is_opened_likewise() -> None:
    assert opening_command(artifact("db.dump")) == "cat | pg_restore --list"
    sealed = artifact("db.dump.zst.enc", encryption="openssl", iterations=10_000)
    decryption = "openssl enc -d -aes-256-cbc -pbkdf2 -iter 10000 -md sha256"
    assert opening_command(sealed) == f"{decryption} | zstd -dc | pg_restore --list"


HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN78xiVUYIUdvLTX1burMQKWaSCA6hVRj1wA85iAd7OW"
FAR = {"host": "far.example", "user": "vault", "path": "/srv/b", "hostKey": HOST_KEY}
LOGIN = {"privateKeySecret": {"name": "login", "key": "key"}}


@pytest.mark.parametrize(
    ("store", "fetching"),
    [
        ({"local": {"path": "/b"}}, "zstd -dc /b/n/p/x/db.dump.zst |"),
        ({"s3": {"bucket": "keep"}}, "aws s3 cp s3://keep/n/p/x/db.dump.zst - | zstd -dc |"),
        (
            {"sftp": {**FAR, **LOGIN, "port": 23}},
            "sftp -P 23 vault@far.example:/srv/b/n/p/x/db.dump.zst . && zstd -dc db.dump.zst |",
        ),
        (
            {"rsync": FAR | LOGIN},
            "rsync -e 'ssh -p 22' vault@far.example:/srv/b/n/p/x/db.dump.zst . && zstd -dc db.dump.zst |",
        ),
    ],
)
def test_a_copy_in_a_store_is_fetched_by_the_stores_stock_client(store: dict, fetching: str) -> None:
    line = opening_in_store(BackupStoreSpec.model_validate(store), "n/p/x", artifact("db.dump.zst"))
    assert line == f"{fetching} pg_restore --list"
