"""Which client dumps which server."""

from pathlib import Path

import pytest

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.postgres.clients import Client, choose_client, find_clients


def client(major: int) -> Client:
    return Client(major, f"{major}.1", Path(f"/clients/{major}"))


def test_the_servers_own_major_is_preferred_then_the_nearest_newer_one() -> None:
    known = [client(17), client(13), client(15)]
    assert choose_client(known, 15, "s").major == 15
    assert choose_client(known, 14, "s").major == 15
    assert choose_client(known, 12, "s").major == 13


def test_an_older_client_is_never_used() -> None:
    with pytest.raises(StrongroomError, match=r"PostgreSQL 18.* is 17 .*postgresql-client-18") as raised:
        choose_client([client(17), client(13)], 18, "s")
    assert raised.value.reason is Reason.ClientTooOld
    with pytest.raises(StrongroomError) as raised:
        choose_client([], 18, "s")
    assert raised.value.reason is Reason.ClientMissing


def test_half_installed_and_broken_clients_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    for folder, names in {"half": ["pg_dump"], "whole": ["pg_dump", "pg_restore", "pg_dumpall"]}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_text(
                "#!/bin/sh\necho 'pg_dump (PostgreSQL) 16.4 (Debian 16.4-1)'\n"
            )
            (tmp_path / folder / name).chmod(0o755)
    (found,) = find_clients([f"{tmp_path}/*"])
    assert (found.major, found.version, found.folder.name) == (16, "16.4", "whole")
