"""What stands against a restore is told before anything is touched, and what goes wrong leaves the old database as it was."""

import json
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from tests.integration.postgres import Server, running_server
from tests.integration.worker.restorations import Restorable, made_up_extension, restorable
from tests.integration.worker.test_bad_input import mounted
from tests.integration.worker.workshop import Workshop
from tests.keys.stock import age_pair

from strongroom.sources.postgres.restoring.naming import name_replaced

SIBLINGS = "".join(
    f"CREATE TABLE sibling_{n} AS SELECT g AS n FROM generate_series(1, 9000) AS g;" for n in range(4)
)
"""Equal tables: with several jobs they are loaded at the same time, from the dump laid down."""
EVIL = """
CREATE ROLE {role};
CREATE FUNCTION is_super() RETURNS boolean LANGUAGE sql STABLE AS
  'SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user';
CREATE FUNCTION evil(n integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF public.is_super() THEN EXECUTE 'ALTER ROLE {role} SUPERUSER'; END IF;
  RETURN true;
END $$;
CREATE FUNCTION evil_too(n integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF public.is_super() THEN RAISE EXCEPTION 'ran as a superuser'; END IF;
  RETURN n;
END $$;
ALTER FUNCTION evil OWNER TO {role};
ALTER FUNCTION evil_too OWNER TO {role};
CREATE TABLE trap (n integer CHECK (public.evil(n)));
ALTER TABLE trap OWNER TO {role};
SET ROLE {role};
INSERT INTO trap SELECT generate_series(1, 10);
RESET ROLE;
CREATE INDEX trap_index ON trap (public.evil_too(n));
"""


@pytest.fixture(scope="module")
def able() -> Iterator[Server]:
    """A server that knows prepared transactions and logical replication."""
    with running_server("-c max_prepared_transactions=5 -c wal_level=logical") as started:
        yield started


@pytest.fixture(scope="module")
def backed_up(able: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restorable]:
    with restorable(tmp_path_factory.mktemp("faults"), able) as made:
        made.back_up()
        yield made


@pytest.fixture
def shop(backed_up: Restorable) -> Iterator[Restorable]:
    """Whatever a test does: afterwards the database is as it was before, and nothing is beside it."""
    backed_up.uid += "1"
    before = backed_up.state()
    yield backed_up
    assert backed_up.state() == before


@contextmanager
def database(able: Server, folder: Path, name: str, sql: str) -> Iterator[Restorable]:
    """A small one that is backed up."""
    with small(able, folder, name) as made:
        able.execute(sql, name)
        made.back_up()
        yield made


@contextmanager
def small(able: Server, folder: Path, name: str) -> Iterator[Restorable]:
    folder = folder / secrets.token_hex(4)
    folder.mkdir()
    able.create_database(name)
    made = Restorable(Workshop(folder, able, able.password, "postgres"), able, name)
    try:
        yield made
    finally:
        for each in [*made.beside(), name]:
            able.drop_database(each)


@pytest.mark.parametrize("other", [{"source": "other"}, {"database": "SHOP"}, {"container": "box"}])
def test_what_was_not_confirmed_is_not_overwritten(shop: Restorable, other: dict[str, str]) -> None:
    named = {"source": "database", "database": shop.name} | other
    shop.refuse("ConfirmationWrong", shop.name, overwrites=[named])


def test_a_prepared_transaction_and_a_replication_slot_are_named(shop: Restorable) -> None:
    with shop.server.connect(shop.name) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot('follower', 'test_decoding')")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO shop.nothing_yet VALUES (1)")
        connection.execute("PREPARE TRANSACTION 'half'")
    try:
        shop.refuse("TargetInUse", "prepared transaction half", "replication slot follower")
    finally:
        with shop.server.connect(shop.name) as connection:
            connection.execute("ROLLBACK PREPARED 'half'")
            connection.execute("SELECT pg_drop_replication_slot('follower')")


def test_a_template_is_not_exchanged(shop: Restorable) -> None:
    shop.server.execute(f'ALTER DATABASE "{shop.name}" IS_TEMPLATE true')
    try:
        shop.refuse("TargetInUse", "is a template")
    finally:
        shop.server.execute(f'ALTER DATABASE "{shop.name}" IS_TEMPLATE false')


def test_a_name_that_is_taken_is_no_new_database(shop: Restorable) -> None:
    shop.refuse("TargetExists", shop.name, mode="NewDatabase", database=shop.name)


def test_a_name_that_is_taken_while_the_new_database_is_made_stays_whose_it_is(shop: Restorable) -> None:
    name = f"{shop.name}_other"
    process = shop.workshop.start(shop.order(mode="NewDatabase", database=name))
    while not shop.beside():
        assert process.poll() is None
    process.send_signal(signal.SIGSTOP)
    shop.server.execute(f"CREATE DATABASE {name}")
    process.send_signal(signal.SIGCONT)
    finished = shop.workshop.finish(process)
    beside = shop.beside()
    shop.server.drop_database(name)
    assert (finished.result.reason, beside) == ("TargetExists", [name]), finished.result.message


def test_a_database_that_appears_after_the_plan_stays_whose_it_is(able: Server, tmp_path: Path) -> None:
    with database(able, tmp_path, "newcomer", "CREATE TABLE t AS SELECT 1 AS n") as made:
        able.drop_database(made.name)
        process = made.workshop.start(made.order(overwrites=[]))
        while not made.beside():
            assert process.poll() is None
        process.send_signal(signal.SIGSTOP)
        able.create_database(made.name)
        process.send_signal(signal.SIGCONT)
        finished = made.workshop.finish(process)
        assert finished.result.reason == "TargetExists", finished.result.message
        assert "neither the plan nor its confirmation knew of it" in finished.result.message
        assert (able.row_counts(made.name), made.beside()) == ({}, [])


def test_a_safety_backup_takes_what_is_there_and_tells_what_is_not(shop: Restorable) -> None:
    names = [f"{shop.name}_gone", shop.name]
    finished = shop.workshop.succeed(
        shop.workshop.order(f"safety{shop.uid}", source=shop.source() | {"databases": names}, reason="Safety")
    )
    assert [each.database for each in finished.result.artifacts] == [shop.name, None]
    manifest = shop.workshop.manifest(finished)
    assert f'database "{names[0]}": it was not there' in manifest.files[0].not_included
    source = shop.source() | {"databases": names[:1]}
    order = shop.workshop.order(f"none{shop.uid}", source=source, reason="Safety")
    assert shop.workshop.run(order).result.reason == "DatabaseNotFound"


def test_two_databases_are_both_put_back_when_the_application_is_not_well(
    able: Server, tmp_path: Path
) -> None:
    sql = "CREATE TABLE t AS SELECT generate_series(1, 9) AS n"
    with small(able, tmp_path, "pair_one") as one, small(able, tmp_path, "pair_two") as two:
        both = one.source() | {"databases": [one.name, two.name]}
        for each in (one, two):
            able.execute(sql, each.name)
        one.back_up(source=both)
        for each in (one, two):
            able.execute("DELETE FROM t WHERE n > 3", each.name)
        before = one.state(), two.state()
        named = [{"source": "database", "database": each.name} for each in (one, two)]
        check = {"url": "http://127.0.0.1:9/", "timeout": "1s"}
        finished = one.refuse("HealthCheckFailed", target=both, overwrites=named, healthCheck=check)
        assert finished.result.restore is not None
        assert finished.result.restore.rolled_back
        assert (one.state(), two.state()) == before


def test_what_was_replaced_and_is_used_again_is_not_dropped(shop: Restorable) -> None:
    finished = shop.restore()
    assert finished.result.restore is not None
    (kept,) = finished.result.restore.replaced
    drop = {**shop.order("DropReplaced"), "restore": None}
    drop["drop"] = {
        "request": "back",
        "policy": "shop",
        "targets": [{"name": "database", "postgres": shop.source()}],
        "replaced": [kept.model_dump(by_alias=True, mode="json", exclude_none=True)],
    }
    shop.server.execute(f'ALTER DATABASE "{kept.kept_as}" ALLOW_CONNECTIONS true')
    refused = shop.workshop.run(drop)
    assert (refused.result.reason, shop.beside()) == ("TargetInUse", [kept.kept_as])
    shop.server.execute(f'ALTER DATABASE "{kept.kept_as}" ALLOW_CONNECTIONS false')
    shop.workshop.succeed(drop)
    assert shop.beside() == []


def test_a_role_without_rights_is_told_which_it_lacks(shop: Restorable) -> None:
    shop.server.execute("CREATE ROLE poor LOGIN PASSWORD 'poor-password'")
    shop.workshop.write_secret("poor", "password", "poor-password")
    target = {**shop.source(passwordSecret={"name": "poor", "key": "password"}), "user": "poor"}
    shop.refuse("PermissionDenied", '"poor"', "CREATEDB", target=target)
    shop.server.execute("DROP ROLE poor")


def test_nothing_is_found_for_a_time_before_the_first_backup_nor_for_another_run(shop: Restorable) -> None:
    shop.refuse("BackupNotFound", "at or before 2025", choice={"asOf": "2025-01-01T00:00:00Z"})
    shop.refuse("BackupNotFound", "run second", choice={"run": "second"})
    shop.refuse("BackupNotFound", 'database "other"', choice={"run": "first", "databases": ["other"]})


def test_another_manifest_than_the_planned_one_is_refused(shop: Restorable) -> None:
    choice = {"run": "first", "manifestSha256": "0" * 64}
    shop.refuse("ManifestUntrusted", "not the one", choice=choice)


def test_a_manifest_that_must_be_signed_and_is_not_is_refused(shop: Restorable) -> None:
    shop.refuse("ManifestUntrusted", opening={"mustBeSigned": True})


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_corrupt_copy_is_passed_over_and_without_another_nothing_is_touched(
    able: Server, tmp_path: Path, jobs: int
) -> None:
    """Bytes differ behind what tells the contents; with one job rows are loaded as they come, with four it is laid down."""
    with small(able, tmp_path, f"two_{jobs}") as made:
        able.execute(SIBLINGS, made.name)
        able.execute(
            "CREATE TABLE t AS SELECT n, md5(n::text) AS x FROM generate_series(1, 9000) n", made.name
        )
        stores = [
            {"name": name, "spec": {"local": {"path": str(tmp_path / name)}}} for name in ("one", "two")
        ]
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
        finished = made.back_up(stores=stores, compression={"codec": "none"})
        before = able.content_hashes(made.name)
        flip(tmp_path / "one", finished.artifact.file)
        able.execute("DELETE FROM t WHERE n % 2 = 0", made.name)
        restored = made.restore(stores=stores, jobs=jobs)
        assert restored.result.restore is not None
        assert restored.result.restore.store == "two"
        assert able.content_hashes(made.name) == before
        flip(tmp_path / "two", finished.artifact.file)
        made.uid += "again"
        state = made.state()
        made.refuse("ArtifactCorrupt", "store one", "store two", stores=stores, jobs=jobs)
        assert made.state() == state


def flip(store: Path, file: str) -> None:
    (path,) = store.rglob(file)
    content = bytearray(path.read_bytes())
    content[-5000] ^= 1
    path.write_bytes(content)


def test_the_key_of_somebody_else_does_not_open_it_and_the_second_one_does(
    able: Server, tmp_path: Path
) -> None:
    with small(able, tmp_path, "sealed") as made:
        able.execute("CREATE TABLE t AS SELECT 1 AS n", made.name)
        right, wrong = age_pair(), age_pair()
        made.back_up(encryption={"age": {"recipients": [right.public]}})
        for name, pair in (("right", right), ("wrong", wrong)):
            made.workshop.write_secret(name, "key", pair.private)
        keys = [{"name": "wrong", "key": "key"}]
        before = made.state()
        finished = made.refuse(
            "DecryptionFailed", "Secret wrong, key key does not fit", opening={"decryptionKeys": keys}
        )
        assert wrong.private.splitlines()[-1] not in finished.result.model_dump_json() + finished.stderr
        made.refuse("DecryptionFailed", "no key is named")
        assert made.state() == before
        able.execute("TRUNCATE t", made.name)
        made.restore(opening={"decryptionKeys": [*keys, {"name": "right", "key": "key"}]})
        assert able.row_counts(made.name) == {"public.t": 1}


def test_a_check_of_a_plain_role_does_not_run_as_a_superuser(able: Server, tmp_path: Path) -> None:
    for jobs in (1, 4):
        role = f"mallory_{jobs}"
        with database(able, tmp_path, f"canary_{jobs}", EVIL.format(role=role) + SIBLINGS) as made:
            before = able.content_hashes(made.name)
            able.execute("DELETE FROM trap", made.name)
            made.restore(jobs=jobs)
            assert able.content_hashes(made.name) == before
            assert not is_superuser(able, role)


@pytest.mark.parametrize("place", ["CHECK", "index"])
def test_a_superusers_table_that_calls_a_plain_role_is_not_loaded_as_one(
    able: Server, tmp_path: Path, place: str
) -> None:
    role = f"lent_{place.lower()}"
    sql = EVIL.format(role=role)
    more = (
        "ALTER TABLE trap DROP CONSTRAINT trap_n_check; ALTER TABLE trap OWNER TO postgres"
        if place == "index"
        else "DROP INDEX trap_index; ALTER TABLE trap OWNER TO postgres"
    )
    with database(able, tmp_path, f"lent_{place.lower()}", f"{sql}; {more}") as made:
        able.execute(f"ALTER ROLE {role} NOSUPERUSER")
        before = made.state()
        made.refuse("RestoreFailed", "evil", role)
        assert made.state() == before
        assert not is_superuser(able, role)


def is_superuser(server: Server, role: str) -> bool:
    with server.connect() as connection:
        row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    assert row is not None
    return bool(row[0])


def test_a_database_that_is_gone_comes_back_with_its_roles_settings_and_privileges(
    able: Server, tmp_path: Path
) -> None:
    sql = """CREATE ROLE "gone owner" LOGIN PASSWORD 'gone-password'; CREATE ROLE grantee;
    CREATE TABLE t AS SELECT 1 AS n; ALTER TABLE t OWNER TO "gone owner"; GRANT SELECT ON t TO grantee;
    ALTER DATABASE gone OWNER TO "gone owner"; ALTER DATABASE gone SET search_path = "$user", odd, 'a"b';
    GRANT CREATE ON DATABASE gone TO grantee; ALTER ROLE grantee IN DATABASE gone SET work_mem = '5MB'"""
    with database(able, tmp_path, "gone", sql) as made:
        facts = properties(able, "gone")
        able.drop_database("gone")
        able.execute('DROP ROLE "gone owner"; DROP ROLE grantee')
        plan = made.workshop.succeed(made.order("PlanRestore")).result.plan
        assert plan is not None
        assert plan.confirmation is None
        assert any('role "gone owner" is missing' in line for line in plan.lines)
        made.restore(overwrites=[])
        assert properties(able, "gone") == facts
        with psycopg.connect(
            host="127.0.0.1", port=able.port, user="gone owner", password="gone-password", dbname="gone"
        ) as connection:
            assert connection.execute("SELECT n FROM public.t").fetchall() == [(1,)]
    able.execute('DROP ROLE "gone owner"; DROP ROLE grantee')


def properties(server: Server, name: str) -> object:
    with server.connect() as connection:
        return connection.execute(
            """SELECT pg_get_userbyid(datdba), datcollate, encoding, datconnlimit, datacl::text,
            (SELECT array_agg(coalesce(setrole::regrole::text, '') || setconfig::text ORDER BY 1)
             FROM pg_db_role_setting s WHERE s.setdatabase = d.oid),
            shobj_description(d.oid, 'pg_database')
            FROM pg_database d WHERE datname = %s""",
            [name],
        ).fetchone()[:-1]  # type: ignore[index]


@pytest.mark.parametrize(
    "name", ["q\"u'o\\te; $x %s {}", "-lead=ing", "n" * 63, "ü" * 31, "host=nowhere dbname=x"]
)
def test_names_that_are_hard_are_exchanged_with_all_that_belongs_to_them(
    able: Server, tmp_path: Path, name: str
) -> None:
    with small(able, tmp_path, name) as made:
        able.execute("CREATE TABLE t AS SELECT 1 AS n", name)
        made.back_up()
        quoted = '"' + name.replace('"', '""') + '"'
        able.execute(
            f"""ALTER DATABASE {quoted} SET search_path = "$user", 'x"y,z'; ALTER DATABASE {quoted} CONNECTION LIMIT 40;
            COMMENT ON DATABASE {quoted} IS 'it''s \\ mine'; REVOKE CONNECT ON DATABASE {quoted} FROM PUBLIC"""
        )
        before = properties(able, name)
        able.execute("TRUNCATE public.t", name)
        (kept,) = made.restore().result.restore.replaced  # type: ignore[union-attr]
        assert able.row_counts(name) == {"public.t": 1}
        assert properties(able, name) == before
        order = made.order("DropReplaced")
        order["drop"] = {
            "request": "back",
            "policy": "shop",
            "targets": order.pop("restore")["targets"],
            "replaced": [json.loads(kept.model_dump_json(by_alias=True))],
        }
        made.workshop.succeed(order)
        assert made.beside() == []


def test_only_what_the_request_has_replaced_is_dropped(shop: Restorable) -> None:
    order = shop.order("DropReplaced")
    replaced = {"source": "database", "kind": "database", "original": shop.name, "keptAs": shop.name}
    targets = order.pop("restore")["targets"]
    order["drop"] = {"request": "back", "policy": "shop", "targets": targets, "replaced": [replaced]}
    assert shop.workshop.run(order).result.reason == "TargetMissing"
    replaced["keptAs"] = name_replaced(shop.name, order["runUid"])
    assert shop.workshop.succeed(order).result.message == f"not there any more: {replaced['keptAs']}"


def test_an_application_that_keeps_connecting_does_not_hold_the_exchange_up(
    able: Server, tmp_path: Path
) -> None:
    with small(able, tmp_path, "busy") as made:
        able.execute("CREATE TABLE t AS SELECT 1 AS n", made.name)
        made.back_up()
        over = threading.Event()

        def connect() -> None:
            while not over.is_set():
                try:
                    with able.connect(made.name) as connection:
                        connection.execute("SELECT pg_sleep(0.2)")
                except psycopg.Error:
                    time.sleep(0.01)

        clients = [threading.Thread(target=connect) for _ in range(6)]
        for client in clients:
            client.start()
        try:
            made.restore()
        finally:
            over.set()
            for client in clients:
                client.join()
        assert len(made.beside()) == 1


def test_an_extension_that_the_server_lacks_is_named_before_anything_is_made(
    able: Server, tmp_path: Path
) -> None:
    sql = "CREATE EXTENSION made_up; CREATE TABLE t AS SELECT 1 AS n"
    with made_up_extension("made_up") as forget, database(able, tmp_path, "extended", sql) as made:
        before = made.state()
        forget()
        made.refuse("ExtensionMissing", "made_up")
        finished = made.workshop.run(made.order("PlanRestore"))
        assert finished.result.reason == "ExtensionMissing"
        assert made.state() == before


def test_without_room_for_the_dump_its_rows_are_loaded_as_they_come(able: Server, tmp_path: Path) -> None:
    with database(
        able,
        tmp_path,
        "roomless",
        f"CREATE TABLE t AS SELECT generate_series(1, 999) AS n;{SIBLINGS}",
    ) as made:
        able.execute("DELETE FROM t", made.name)
        with mounted(made.workshop.folder / "scratch", "size=1m"):
            made.refuse(
                "NotEnoughSpace", "laid down before anything is overwritten", strategy="DropAndCreate"
            )
            made.restore(jobs=4)
        assert able.row_counts(made.name)["public.t"] == 999
