"""A worker writes to a folder here and to folders on a server in one pass; each copy is proved, and stock tools bring it back."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.integration.worker.workshop import Workshop
from tests.ssh.server import SshServer, make_key
from tests.ssh.stores import ssh_spec, write_login

KINDS = ("sftp", "rsync")


@pytest.fixture
def folders(ssh_server: SshServer, workshop: Workshop) -> dict[str, str]:
    """One for each kind, with the login where workers look for it."""
    write_login(workshop.folder / "secrets", ssh_server)
    return {kind: ssh_server.make_folder() for kind in KINDS}


def stores(
    workshop: Workshop, server: SshServer, folders: dict[str, str], **more: Any
) -> list[dict[str, Any]]:
    """The folder here, and one on the server for each kind."""
    far = [
        {"name": kind, "spec": ssh_spec(kind, server, folder, **more)}  # type: ignore[arg-type]
        for kind, folder in folders.items()
    ]
    return [{"name": "disk", "spec": {"local": {"path": str(workshop.store)}}}, *far]


def test_one_pass_makes_equal_copies_that_stock_tools_restore(
    workshop: Workshop, ssh_server: SshServer, folders: dict[str, str], tmp_path: Path
) -> None:
    finished = workshop.succeed(workshop.order(stores=stores(workshop, ssh_server, folders)))
    assert {copy.store: copy.state for copy in finished.result.copies} == dict.fromkeys(
        ("disk", *KINDS), "Succeeded"
    )
    for kind, folder in folders.items():
        place = ssh_server.files / folder
        found = sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())
        assert found == workshop.files(), kind
        for name in found:
            assert (place / name).read_bytes() == (workshop.store / name).read_bytes()
    reports = {report.store: report for report in finished.result.stores}
    assert all(reports[kind].ready and reports[kind].recovery_points == 1 for kind in KINDS)
    assert "HardLinks" in reports["sftp"].capabilities
    assert list((workshop.folder / "scratch").iterdir()) == []


def test_a_server_that_is_not_the_one_is_a_failed_copy_and_the_folder_has_the_backup(
    workshop: Workshop, ssh_server: SshServer, folders: dict[str, str], tmp_path: Path
) -> None:
    strange = stores(workshop, ssh_server, folders, hostKey=make_key(tmp_path / "strange"))
    finished = workshop.run(workshop.order(stores=strange))
    copies = {copy.store: copy for copy in finished.result.copies}
    assert (finished.result.outcome, copies["disk"].state) == ("Partial", "Succeeded")
    for kind in KINDS:
        assert (copies[kind].state, copies[kind].reason) == ("Failed", "TlsFailed")
        assert f"{kind}.hostKey" in (copies[kind].message or "")


def test_the_login_is_in_no_argument_and_in_nothing_that_the_worker_says_or_stores(
    workshop: Workshop, ssh_server: SshServer, folders: dict[str, str]
) -> None:
    by_password = {"privateKeySecret": None, "passwordSecret": {"name": "vault-login", "key": "password"}}
    places = stores(workshop, ssh_server, {"sftp": folders["sftp"]}, **by_password)
    process = workshop.start(workshop.order(stores=places))
    seen = ""
    while process.poll() is None:
        seen += subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=False).stdout
    finished = workshop.finish(process)
    assert finished.code == 0, finished.stderr
    assert "-s store sftp" in seen
    said = finished.stdout + finished.stderr + workshop.result.read_text()
    assert ssh_server.password not in seen + said
    stored = b"".join(path.read_bytes() for path in ssh_server.files.rglob("*") if path.is_file())
    assert ssh_server.password.encode() not in stored


def test_retention_deletes_on_the_server_too(
    workshop: Workshop, ssh_server: SshServer, folders: dict[str, str]
) -> None:
    places, retention = stores(workshop, ssh_server, folders), {"keepLast": 1}
    workshop.succeed(workshop.order("first", stores=places, retention=retention))
    second = workshop.succeed(
        workshop.order("second", stores=places, retention=retention, slot="2026-01-03T03:04:05Z")
    )
    assert [(each.kept, each.deleted_runs) for each in second.result.retention] == [(1, ["first"])] * (
        1 + len(KINDS)
    )
    for folder in folders.values():
        points = list((ssh_server.files / folder / "default/shop").iterdir())
        assert len(points) == 1


def test_a_store_check_writes_reads_and_deletes_on_the_server_and_leaves_nothing(
    workshop: Workshop, ssh_server: SshServer, folders: dict[str, str]
) -> None:
    order = {
        "version": 1,
        "kind": "CheckStore",
        "namespace": "default",
        "runUid": "uid-check",
        "stores": stores(workshop, ssh_server, folders)[1:],
        "deadlineSeconds": 60,
    }
    finished = workshop.run(order)
    assert finished.code == 0, json.dumps(finished.result.to_api())
    for folder in folders.values():
        assert list((ssh_server.files / folder).iterdir()) == []
