"""The local store and its medium: links, faults, missing and wrong roots."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.local import LocalStore

KEY = "default/shop/point/file"


def put(store: LocalStore, key: str, content: bytes = b"content") -> None:
    with store.create(key) as writer:
        writer.write(content)
        writer.commit()


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def reason_of(act: Callable[[], Any]) -> Reason:
    with pytest.raises(StrongroomError) as raised:
        act()
    return raised.value.reason


def test_a_missing_root_is_told_and_never_made(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "unmounted")
    for act in (
        store.probe,
        lambda: store.create(KEY),
        lambda: list(store.list()),
        lambda: store.delete(KEY),
    ):
        assert reason_of(act) is Reason.StoreMissing
    assert not (tmp_path / "unmounted").exists()


def test_a_file_as_root_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert reason_of(LocalStore(tmp_path / "file").probe) is Reason.StoreNotDirectory


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("call", ["write", "fsync", "link"])
def test_a_fault_of_the_medium_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    store = LocalStore(tmp_path)
    put(store, "default/shop/point/earlier", b"earlier")

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    with store.create(KEY) as writer:
        monkeypatch.setattr(os, call, fail)
        reason = reason_of(lambda: (writer.write(b"content"), writer.commit()))
        monkeypatch.undo()
    assert reason is (Reason.StoreFailed if code == errno.EIO else Reason.StoreFull)
    assert files(tmp_path) == ["default/shop/point/earlier"]
    put(store, KEY)


def test_a_name_that_cannot_be_made_durable_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, real, calls = LocalStore(tmp_path), os.fsync, []

    def fail_second(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    with store.create(KEY) as writer:
        monkeypatch.setattr(os, "fsync", fail_second)
        assert reason_of(writer.commit) is Reason.StoreFailed
        monkeypatch.undo()
    assert files(tmp_path) == []


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, bytes(data)[:3]))
    put(LocalStore(tmp_path), KEY, b"0123456789")
    monkeypatch.undo()
    assert (tmp_path / KEY).read_bytes() == b"0123456789"


def test_a_file_system_without_hard_links_still_never_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    store = LocalStore(tmp_path)
    with store.create(KEY) as one, store.create(KEY) as two:
        one.write(b"one")
        two.write(b"two")
        one.commit()
        assert reason_of(two.commit) is Reason.KeyExists
    assert (tmp_path / KEY).read_bytes() == b"one"
    assert files(tmp_path) == [KEY]


@pytest.mark.parametrize("planted", ["default", "default/shop", "default/shop/point"])
def test_a_planted_link_leads_nowhere(tmp_path: Path, planted: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    (outside / "shop/point").mkdir(parents=True)
    (root / planted).parent.mkdir(parents=True, exist_ok=True)
    (root / planted).symlink_to(outside)
    store = LocalStore(root)
    assert reason_of(lambda: store.create(KEY)) is Reason.StoreFailed
    assert reason_of(lambda: store.open(KEY)) is Reason.StoreFailed
    assert list(store.list()) == []
    assert files(outside) == []


def test_a_planted_link_as_the_file_itself_is_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / KEY).parent.mkdir(parents=True)
    outside.write_text("untouched")
    (root / KEY).symlink_to(outside)
    store = LocalStore(root)
    assert reason_of(lambda: store.create(KEY)) is Reason.KeyExists
    assert reason_of(lambda: store.open(KEY)) is Reason.StoreFailed
    store.delete(KEY)
    assert outside.read_text() == "untouched"


def test_only_the_owner_can_read_what_is_stored(tmp_path: Path) -> None:
    put(LocalStore(tmp_path), KEY)
    assert (tmp_path / KEY).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "default").stat().st_mode & 0o777 == 0o700


def test_folders_that_become_empty_go_with_the_last_key(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    put(store, KEY)
    store.delete(KEY)
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_are_listed_by_nobody_or_left_alone(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    put(store, KEY)
    (tmp_path / "default/.strongroom-dead").touch()
    os.mkfifo(tmp_path / "default/pipe")
    assert [found.key for found in store.list()] == [KEY]


def test_a_claim_dies_with_its_process_and_leaves_nothing(tmp_path: Path) -> None:
    code = f"""
import sys
from strongroom.stores.local import LocalStore
with LocalStore({str(tmp_path)!r}).claim("n/p/"):
    print("claimed", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"claimed\n"
        with pytest.raises(StrongroomError, match="another worker"), LocalStore(tmp_path).claim("n/p/"):
            pass
        owner.kill()
    with LocalStore(tmp_path).claim("n/p/"):
        assert (tmp_path / "n/p").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_a_key_is_not_listed(tmp_path: Path) -> None:
    point = tmp_path / "n/p/20260101T000000Z-run"
    point.mkdir(parents=True)
    for name in (b"latin-\xe9", b"two\nlines", b"back\\slash", b"key"):
        (Path(os.fsdecode(os.fsencode(point) + b"/" + name))).write_bytes(b"x")
    assert [found.key for found in LocalStore(tmp_path).list()] == ["n/p/20260101T000000Z-run/key"]


def test_the_file_systems_own_folder_is_not_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "lost+found/#123").write_bytes(b"x")
    real = os.open

    def refuse(path: str, *arguments: int, **named: int) -> int:
        if path == "lost+found":
            raise PermissionError(errno.EACCES, "as for everybody but root")
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, "open", refuse)
    assert list(LocalStore(tmp_path).list()) == []
    assert LocalStore(tmp_path).sweep("", datetime.now(UTC)) == 0
