"""What a backup leaves in the store is the database: whole, restorable by stock tools, described exactly."""

import json
import secrets
import subprocess
from pathlib import Path

import pytest
from psycopg import sql
from tests.integration.postgres import TRAP, Server
from tests.integration.worker.workshop import Finished, Workshop

_OPENERS = {"zstd": ["zstd", "-q", "-d", "-c"], "gzip": ["gzip", "-d", "-c"], "none": ["cat"]}


def restore(server: Server, artifact: Path, codec: str, plain: Path) -> str:
    """Restore by stock tools into a new database, and give its name."""
    with plain.open("wb") as out:
        subprocess.run([*_OPENERS[codec], str(artifact)], stdout=out, check=True)
    name = f"restored_{secrets.token_hex(4)}"
    server.create_database(name)
    subprocess.run(
        ["pg_restore", "--exit-on-error", "--dbname", name, str(plain)],
        env=server.environment(name),
        check=True,
    )
    return name


@pytest.mark.parametrize("codec", ["zstd", "gzip", "none"])
def test_stock_tools_restore_the_artifact_into_an_equal_database(
    workshop: Workshop, tmp_path: Path, codec: str
) -> None:
    finished = workshop.succeed(workshop.order(compression={"codec": codec}))
    server = workshop.server
    name = restore(server, workshop.artifact_path(finished), codec, tmp_path / "plain")
    try:
        assert server.row_counts(name) == server.row_counts("shop")
        assert server.content_hashes(name) == server.content_hashes("shop")
    finally:
        server.drop_database(name)


def test_every_row_of_every_table_is_counted_from_the_archive(workshop: Workshop) -> None:
    finished = workshop.succeed()
    file = workshop.manifest(finished).files[0]
    assert {table.table: table.rows for table in file.tables} == workshop.server.row_counts("shop")
    assert finished.artifact.row_count == sum(workshop.server.row_counts("shop").values())


def test_the_level_list_reads_the_contents_and_counts_no_rows(workshop: Workshop) -> None:
    finished = workshop.succeed(workshop.order(verification="List"))
    assert finished.artifact.table_count == len(workshop.server.row_counts("shop"))
    assert finished.artifact.row_count is None
    assert finished.artifact.verification.level == "List"
    assert finished.artifact.verification.read_back


def test_the_manifest_says_what_was_made_by_what_and_what_is_missing(workshop: Workshop) -> None:
    finished = workshop.succeed(workshop.order(source=workshop.source(excludeTables=["shop.audit_2025"])))
    database, roles = workshop.manifest(finished).files
    assert database.artifact.database == "shop"
    assert database.artifact.server_version == database.artifact.client_version
    assert database.owner == "postgres"
    assert any(extension.startswith("pg_trgm ") for extension in database.extensions)
    assert "--exclude-table=shop.audit_2025" in database.options
    assert "tables matching shop.audit_2025" in database.not_included
    assert roles.artifact.kind == "globals"
    assert roles.not_included == []


def test_roles_are_kept_without_passwords_where_these_are_unreadable(workshop: Workshop) -> None:
    workshop.server.create_database("small")
    workshop.server.execute("CREATE TABLE t AS SELECT 1 AS n; GRANT SELECT ON t TO PUBLIC", "small")
    workshop.server.execute("CREATE ROLE reader LOGIN PASSWORD 'reader-password'")
    try:
        workshop.user = "reader"
        workshop.write_secret("shop-db", "password", "reader-password\n")
        finished = workshop.succeed(workshop.order(source=workshop.source(databases=["small"])))
    finally:
        workshop.server.drop_database("small")
        workshop.server.execute("DROP ROLE reader")
    roles = workshop.manifest(finished).files[1]
    assert roles.not_included == ['passwords of roles: role "reader" may not read pg_authid']
    assert "--no-role-passwords" in roles.options


def test_roles_are_kept_beside_the_databases(workshop: Workshop) -> None:
    finished = workshop.succeed()
    path = workshop.artifact_path(finished, 1)
    assert path.name == "database.globals.sql.zst"
    text = subprocess.run(["zstd", "-dc", str(path)], capture_output=True, text=True, check=True).stdout
    assert "CREATE ROLE shop_owner" in text


def test_all_databases_are_found_whatever_they_are_called(workshop: Workshop) -> None:
    names = ['we=ird\'\\ "x"', "-leading", "new\nline", "größe.db", "postgresql://x"]
    for name in names:
        workshop.server.create_database(name)
    try:
        for name in names:
            workshop.server.execute("CREATE TABLE t AS SELECT generate_series(1, 3) AS n", name)
        source = workshop.source(databases=None, allDatabases=True, allowEmpty=True)
        finished = workshop.succeed(workshop.order(source=source))
    finally:
        for name in names:
            workshop.server.drop_database(name)
    made = {artifact.database: artifact for artifact in finished.result.artifacts}
    assert {*names, "shop", "postgres"} <= set(made)
    assert all(made[name].row_count == 3 for name in names)
    assert made["größe.db"].file == "database.gr%C3%B6%C3%9Fe%2Edb.dump.zst"


def test_encodings_and_the_longest_names_are_no_obstacle(workshop: Workshop, server: Server) -> None:
    quotes = '"' * 63
    try:
        for name, encoding in (("ascii", "SQL_ASCII"), ("latin", "LATIN1")):
            server.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'")
        server.execute("CREATE TABLE t AS SELECT 1 AS n", "ascii")
        with server.connect("latin") as connection:
            names = sql.Identifier(quotes), sql.Identifier(quotes)
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(names[0]))
            connection.execute(sql.SQL("CREATE TABLE {}.{} AS SELECT 1 AS n").format(*names))
        source = workshop.source(databases=["ascii", "latin"], globals=False)
        ascii_file, latin_file = workshop.manifest(workshop.succeed(workshop.order(source=source))).files
    finally:
        server.drop_database("ascii")
        server.drop_database("latin")
    assert ascii_file.artifact.server_version == latin_file.artifact.server_version
    assert not any('"ascii"' in note or "b'" in note for note in ascii_file.not_included)
    doubled = '"' + quotes * 2 + '"'
    assert [(table.table, table.rows) for table in latin_file.tables] == [(f"{doubled}.{doubled}", 1)]


def test_a_databases_search_path_lends_nobody_our_rights(workshop: Workshop, server: Server) -> None:
    server.create_database("trapped")
    try:
        server.execute(TRAP + "ALTER DATABASE trapped SET search_path = trap, pg_catalog", "trapped")
        workshop.succeed(workshop.order(source=workshop.source(databases=["trapped"])))
        with server.connect("trapped") as connection:
            assert connection.execute("SELECT word FROM trap.fallen").fetchall() == []
    finally:
        server.drop_database("trapped")


def test_progress_is_told_in_json_lines_from_connecting_to_pruning(workshop: Workshop) -> None:
    finished = workshop.succeed()
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    stages = list(dict.fromkeys(line["stage"] for line in lines))
    assert stages == ["Connect", "Dump", "ReadBack", "Commit", "Prune"]
    assert lines[-1]["readBytes"] == sum(a.plain_bytes for a in finished.result.artifacts)


def test_two_stores_hold_the_same_and_one_that_fails_makes_it_partial(workshop: Workshop) -> None:
    stores = [
        {"name": name, "spec": {"local": {"path": str(workshop.folder / name)}}} for name in ("one", "two")
    ]
    (workshop.folder / "one").mkdir()
    finished = workshop.run(workshop.order(stores=stores))
    assert (finished.result.outcome, finished.result.reason) == ("Partial", "StoreMissing")
    assert [copy.state for copy in finished.result.copies] == ["Succeeded", "Failed"]
    (workshop.folder / "two").mkdir()
    again = workshop.succeed(workshop.order(stores=stores))
    assert [copy.state for copy in again.result.copies] == ["Succeeded", "Succeeded"]
    assert content(workshop.folder / "one", finished) == content(workshop.folder / "two", finished)


def content(store: Path, finished: Finished) -> dict[str, bytes]:
    folder = store / str(finished.result.recovery_point)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_order_twice_is_one_recovery_point(workshop: Workshop) -> None:
    first = workshop.succeed()
    before = workshop.files()
    second = workshop.succeed()
    assert workshop.files() == before
    assert second.result.artifacts == first.result.artifacts
    assert second.result.recovery_point == first.result.recovery_point


def test_the_connection_is_encrypted_and_proved_when_the_policy_asks(workshop: Workshop) -> None:
    source = workshop.source(tls={"mode": "verify-full"})
    finished = workshop.run(workshop.order(source=source))
    assert finished.result.reason == "TlsFailed"
    assert "postgres.tls" in finished.result.message
