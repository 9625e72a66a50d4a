"""Bad input and bad luck: the reason and the message say which object and which field, and earlier backups stay."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from tests.integration.postgres import PROGRAMS
from tests.integration.worker.workshop import Finished, Workshop

from strongroom.api.errors import Reason


@pytest.fixture(autouse=True)
def no_secret_and_no_half_artifact(workshop: Workshop) -> Iterator[None]:
    """After every story: whatever is visible is verified, and nothing unfinished lies about."""
    yield
    vouched = {f"{m.namespace}/{m.policy}" for m in workshop.manifests() if m.verified}
    assert all(name.rsplit("/", 2)[0] in vouched for name in workshop.files()), workshop.files()
    assert not list((workshop.folder / "scratch").rglob("pgpass"))


def fails(workshop: Workshop, reason: Reason, *words: str, **order: object) -> Finished:
    """Run the order, and expect it to fail for that reason with those words."""
    finished = workshop.run(workshop.order(**order))  # type: ignore[arg-type]
    assert finished.result.reason == reason.name, finished.result.message
    assert finished.result.outcome == "Failed"
    assert finished.code == reason.exit_code
    assert finished.result.retryable == reason.retryable
    for word in words:
        assert word in finished.result.message
    assert workshop.password not in finished.result.model_dump_json() + finished.stdout + finished.stderr
    return finished


def test_a_wrong_password_names_the_secret_and_the_key(workshop: Workshop) -> None:
    workshop.write_secret("shop-db", "password", "wrong-password")
    fails(
        workshop,
        Reason.AuthenticationFailed,
        'source database: password authentication failed for user "backup role"',
        "postgres.passwordSecret: Secret shop-db, key password",
    )


def test_a_missing_secret_and_a_missing_key_are_told_apart(workshop: Workshop) -> None:
    missing = {"name": "nowhere", "key": "password"}
    fails(
        workshop, Reason.SecretMissing, "postgres.passwordSecret", "nowhere",
        source=workshop.source(passwordSecret=missing),
    )  # fmt: skip
    keyless = {"name": "shop-db", "key": "other"}
    fails(
        workshop, Reason.SecretKeyMissing, "Secret shop-db has no key other",
        source=workshop.source(passwordSecret=keyless),
    )  # fmt: skip


def test_no_password_where_the_server_wants_one(workshop: Workshop) -> None:
    source = workshop.source(passwordSecret=None)
    fails(workshop, Reason.AuthenticationFailed, "no postgres.passwordSecret is set", source=source)


@pytest.mark.parametrize("name", ["nope", 'we=ird\'\\ "x"', "-leading", "host=elsewhere", "größe"])
def test_an_unknown_database_is_named(workshop: Workshop, name: str) -> None:
    fails(
        workshop, Reason.DatabaseNotFound, f'database "{name}" does not exist', "postgres.databases",
        source=workshop.source(databases=[name]),
    )  # fmt: skip


def test_an_unreachable_host_names_host_and_port(workshop: Workshop) -> None:
    fails(
        workshop, Reason.SourceUnreachable, "postgres.host 127.0.0.1, postgres.port 1",
        source=workshop.source(port=1),
    )  # fmt: skip
    fails(
        workshop,
        Reason.SourceUnreachable,
        "no-such-host",
        source=workshop.source(host="no-such-host.invalid"),
    )


def fake_clients(folder: Path, major: int) -> str:
    """A folder of client programs that claim to be of that major."""
    programs = folder / f"clients-{major}"
    programs.mkdir()
    for name in ("pg_dump", "pg_restore", "pg_dumpall"):
        (programs / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {major}.3'\n")
        (programs / name).chmod(0o755)
    return str(programs)


def test_a_server_newer_than_the_client_names_both_majors(workshop: Workshop, tmp_path: Path) -> None:
    workshop.client_folders = [fake_clients(tmp_path, 13)]
    workshop.environment = {"PATH": ""}
    fails(workshop, Reason.ClientTooOld, f"PostgreSQL {PROGRAMS.parent.name}", "is 13", "postgresql-client-")


def test_a_machine_without_clients_says_what_to_install(workshop: Workshop) -> None:
    workshop.client_folders = ["/nowhere"]
    workshop.environment = {"PATH": ""}
    fails(workshop, Reason.ClientMissing, f"install postgresql-client-{PROGRAMS.parent.name}")


def test_a_locked_table_is_waited_for_no_longer_than_asked(workshop: Workshop) -> None:
    with workshop.server.connect("shop") as other, other.transaction():
        other.execute("LOCK TABLE shop.customer IN ACCESS EXCLUSIVE MODE")
        fails(
            workshop, Reason.LockTimeout, "shop.customer", "postgres.lockTimeout",
            source=workshop.source(lockTimeout="1s"),
        )  # fmt: skip


@contextmanager
def database(workshop: Workshop, name: str, sql: str) -> Iterator[None]:
    workshop.server.create_database(name)
    try:
        workshop.server.execute(sql, name)
        yield
    finally:
        workshop.server.drop_database(name)


def test_row_level_security_is_refused_before_and_during_the_dump(workshop: Workshop) -> None:
    with database(workshop, "secured", "CREATE TABLE t (n int); ALTER TABLE t ENABLE ROW LEVEL SECURITY"):
        source = workshop.source(databases=["secured"])
        fails(workshop, Reason.RowSecurity, "public.t", 'database "secured"', source=source)
        source = workshop.source(databases=["secured"], includeTables=["public.*"])
        fails(workshop, Reason.RowSecurity, "secured", source=source)


def test_tables_and_large_objects_that_the_role_cannot_read_are_named(workshop: Workshop) -> None:
    workshop.user = "plain"
    workshop.server.execute("CREATE ROLE plain LOGIN")
    workshop.server.execute(f"ALTER ROLE plain PASSWORD '{workshop.password.replace(chr(39), chr(39) * 2)}'")
    try:
        with database(workshop, "shut", "CREATE TABLE t (n int)"):
            fails(
                workshop, Reason.PermissionDenied, "public.t", 'role "plain"',
                source=workshop.source(databases=["shut"]),
            )  # fmt: skip
        with database(
            workshop, "objects", "CREATE TABLE t (); GRANT SELECT ON t TO PUBLIC; SELECT lo_create(4711)"
        ):
            fails(
                workshop, Reason.PermissionDenied, "large objects 4711",
                source=workshop.source(databases=["objects"]),
            )  # fmt: skip
    finally:
        workshop.server.execute("DROP ROLE plain")


def test_an_empty_database_is_refused_unless_allowed(workshop: Workshop) -> None:
    with database(workshop, "bare", "SELECT 1"):
        source = workshop.source(databases=["bare"])
        fails(workshop, Reason.EmptyDatabase, 'database "bare"', "postgres.allowEmpty", source=source)
        workshop.succeed(workshop.order(source={**source, "allowEmpty": True}))


def test_patterns_that_match_nothing_are_refused(workshop: Workshop) -> None:
    source = workshop.source(includeSchemas=["--no-such"])
    fails(workshop, Reason.InvalidSpec, "no matching schemas", source=source)


def test_a_dump_much_smaller_than_usual_is_refused_and_the_earlier_one_stays(workshop: Workshop) -> None:
    with database(workshop, "shrinking", "CREATE TABLE t AS SELECT generate_series(1, 100000) AS n"):
        source = workshop.source(databases=["shrinking"])
        workshop.succeed(workshop.order("full", source=source))
        before = workshop.files()
        workshop.server.execute("TRUNCATE t", "shrinking")
        fails(workshop, Reason.ImplausiblySmall, "shrinking", "minSizePercent", run="small", source=source)
        assert workshop.files() == before
        workshop.succeed(workshop.order("small", source=source, minSizePercent=0))


def test_a_missing_store_folder_is_never_made(workshop: Workshop) -> None:
    path = workshop.folder / "unmounted"
    stores = [{"name": "disk", "spec": {"local": {"path": str(path)}}}]
    fails(workshop, Reason.StoreMissing, "store disk", f"local.path {path}", stores=stores)
    assert not path.exists()


def test_a_store_that_is_a_file_is_told(workshop: Workshop) -> None:
    path = workshop.folder / "file"
    path.write_text("")
    stores = [{"name": "disk", "spec": {"local": {"path": str(path)}}}]
    fails(workshop, Reason.StoreNotDirectory, "store disk", str(path), stores=stores)


@contextmanager
def mounted(path: Path, options: str) -> Iterator[None]:
    path.mkdir(exist_ok=True)
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting needs more rights than this machine gives")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_a_read_only_store_is_told(workshop: Workshop) -> None:
    with mounted(workshop.store, "size=1m,ro"):
        fails(workshop, Reason.StoreReadOnly, "store disk", "read-only")


def test_a_full_disk_leaves_the_earlier_backup_as_it_was(workshop: Workshop) -> None:
    with mounted(workshop.store, "size=2m"):
        with database(workshop, "small", "CREATE TABLE t AS SELECT 1 AS n"):
            workshop.succeed(
                workshop.order("small", source=workshop.source(databases=["small"]), policy="small")
            )
        before = {name: (workshop.store / name).read_bytes() for name in workshop.files()}
        with database(
            workshop, "big", "CREATE TABLE t AS SELECT md5(n::text) FROM generate_series(1, 300000) AS n"
        ):
            source = workshop.source(databases=["big"])
            fails(
                workshop, Reason.StoreFull, "store disk", "No space left on device", run="big", source=source
            )
        assert {name: (workshop.store / name).read_bytes() for name in workshop.files()} == before


def when_running(workshop: Workshop, query: str, act: Callable[[psycopg.Connection], None]) -> None:
    """Do something as soon as the server runs such a query of a backup."""
    deadline = time.monotonic() + 60
    with workshop.server.connect() as watcher:
        while time.monotonic() < deadline:
            row = watcher.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'strongroom' AND query LIKE %s",
                [query],
            ).fetchone()
            if row is not None:
                act(watcher)
                return
            time.sleep(0.005)


def test_a_server_that_ends_the_dump_in_the_middle_leaves_nothing(workshop: Workshop) -> None:
    def end(watcher: psycopg.Connection) -> None:
        watcher.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'strongroom'"
        )

    slow = "CREATE TABLE t AS SELECT repeat(md5(n::text), 40) AS x FROM generate_series(1, 200000) AS n"
    with database(workshop, "slow", slow):
        killer = threading.Thread(target=when_running, args=(workshop, "COPY %", end))
        killer.start()
        source = workshop.source(databases=["slow"])
        fails(workshop, Reason.DumpIncomplete, 'database "slow"', source=source)
        killer.join()
    assert workshop.files() == []


def wrapped_clients(folder: Path, script: str) -> str:
    """The real programs, with pg_dump behind a script in which $REAL is the real one."""
    programs = folder / "wrapped"
    programs.mkdir()
    for name in ("pg_restore", "pg_dumpall"):
        (programs / name).symlink_to(PROGRAMS / name)
    (programs / "pg_dump").write_text(
        f'#!/bin/sh\nREAL={PROGRAMS}/pg_dump\n[ "$1" = --version ] && exec $REAL --version\n{script}\n'
    )
    (programs / "pg_dump").chmod(0o755)
    return str(programs)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ('$REAL "$@"; echo "disk caught fire" >&2; exit 1', Reason.DumpFailed),
        ('$REAL "$@"; kill -9 $$', Reason.DumpIncomplete),
        ('$REAL "$@" | head -c 50000', Reason.VerificationFailed),
        ('$REAL "$@" | head -c -1', Reason.VerificationFailed),
        ("exit 0", Reason.VerificationFailed),
    ],
)
def test_a_producer_that_lies_or_dies_is_never_believed(
    workshop: Workshop, tmp_path: Path, script: str, reason: Reason
) -> None:
    workshop.client_folders = [wrapped_clients(tmp_path, script)]
    fails(workshop, reason)
    assert workshop.files() == []


def test_the_deadline_ends_worker_and_children(workshop: Workshop, tmp_path: Path) -> None:
    workshop.client_folders = [wrapped_clients(tmp_path, f"echo $$ > {tmp_path}/pid; sleep 600")]
    fails(workshop, Reason.DeadlineExceeded, "deadline", deadlineSeconds=3)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_being_told_to_stop_ends_worker_and_children_with_a_result(
    workshop: Workshop, tmp_path: Path
) -> None:
    workshop.client_folders = [
        wrapped_clients(
            tmp_path, f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; sleep 600"
        )
    ]
    process = workshop.start(workshop.order())
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    finished = workshop.finish(process)
    assert finished.result.reason == "Cancelled"
    assert finished.code == Reason.Cancelled.exit_code
    child = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}")
    deadline = time.monotonic() + 30  # a dead one stays there until the machine has buried it
    while child.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not child.exists()


def test_an_order_of_another_version_is_refused_with_its_identity(workshop: Workshop) -> None:
    finished = workshop.run({**workshop.order(), "surprise": True})
    assert (finished.result.reason, finished.result.run_uid) == ("InvalidOrder", "uid-first")


def test_the_password_is_in_no_argument_and_no_environment(workshop: Workshop, tmp_path: Path) -> None:
    script = f'tr "\\0" "\\n" < /proc/$$/environ > {tmp_path}/environ; tr "\\0" "\\n" < /proc/$$/cmdline > {tmp_path}/cmdline; exec $REAL "$@"'
    workshop.client_folders = [wrapped_clients(tmp_path, script)]
    finished = workshop.succeed()
    said = (tmp_path / "environ").read_text() + (tmp_path / "cmdline").read_text()
    assert "PGPASSFILE" in said
    assert workshop.password not in said + finished.stdout + finished.stderr + workshop.result.read_text()
    stored = b"".join((workshop.store / name).read_bytes() for name in workshop.files())
    assert workshop.password.encode() not in stored


def test_a_worker_cut_off_from_its_reader_still_makes_its_backup(workshop: Workshop) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = workshop.start(workshop.order())
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    os.close(writing)
    finished = workshop.finish(process)
    assert (finished.code, finished.result.reason) == (0, "Succeeded")


def test_more_databases_than_a_recovery_point_holds_are_refused_before_the_first_is_read(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strongroom.worker.planning.MOST_ARTIFACTS", 1)
    finished = workshop.run_here(workshop.order())
    assert finished.result.reason == Reason.InvalidSpec.name
    assert "name them in several policies" in finished.result.message
