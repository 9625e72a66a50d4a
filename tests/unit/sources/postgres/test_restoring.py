"""Names, quotes and SQL of others: what restores make of them."""

import pytest

from strongroom.sources.postgres.restoring.comparing import _QUALIFIED
from strongroom.sources.postgres.restoring.contents import parse_contents
from strongroom.sources.postgres.restoring.naming import name_prepared, name_replaced
from strongroom.sources.postgres.restoring.quoting import identifier, literal, parse_identifier, split_list
from strongroom.sources.postgres.restoring.reaching import major_of
from strongroom.sources.postgres.restoring.roles import KnownRoles
from strongroom.sources.postgres.restoring.statements import find_roles, split_statements

GLOBALS = """
CREATE ROLE app;
ALTER ROLE app WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS PASSWORD 'SCRAM-SHA-256$4096:x$y:z';
CREATE ROLE root;
ALTER ROLE root WITH SUPERUSER INHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS PASSWORD 'in the clear' VALID UNTIL 'infinity';
GRANT app TO root WITH ADMIN OPTION GRANTED BY postgres;
GRANT pg_read_all_data TO app GRANTED BY postgres;
"""


def test_names_follow_from_request_and_database_and_never_exceed_63_bytes() -> None:
    long = "ü" * 31
    names = {
        name_prepared(long, "a"),
        name_prepared(long, "b"),
        name_replaced(long, "a"),
        name_prepared("shop", "a"),
    }
    assert len(names) == 4
    assert all(len(name.encode()) <= 63 for name in names)
    assert name_prepared("shop", "a") == name_prepared("shop", "a")


@pytest.mark.parametrize("name", ['a"b', "plain", "", "ü;--", '"'])
def test_what_is_quoted_is_read_back(name: str) -> None:
    assert parse_identifier(identifier(name)) == name


def test_a_literal_ends_where_it_should() -> None:
    assert literal("it's \\ 'x'") == "'it''s \\ ''x'''"


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ('"$user", public', ["$user", "public"]),
        ('"a""b,c",  d', ['a"b,c', "d"]),
        ("a;drop database x", ["a;drop database x"]),
        ("", []),
        ('"open', ['"open']),
    ],
)
def test_a_list_of_names_is_taken_apart(value: str, items: list[str]) -> None:
    assert split_list(value) == items


def test_statements_end_outside_of_quotes_bodies_and_comments() -> None:
    text = """-- a; comment
    SELECT 'a;''b', E'c\\';d', "e;f" /* g; */;
    \\connect shop
    CREATE FUNCTION f() AS $_$ x; $$ y; $_$; SELECT $1;"""
    assert list(split_statements(text)) == [
        """SELECT 'a;''b', E'c\\';d', "e;f\"""",
        "CREATE FUNCTION f() AS $_$ x; $$ y; $_$",
        "SELECT $1",
    ]


def test_roles_are_found_where_statements_name_them_and_nowhere_else() -> None:
    text = """ALTER TABLE a.b OWNER TO "the owner";
    GRANT SELECT ON TABLE "x; GRANT y TO evil" TO reader WITH GRANT OPTION;
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    ALTER DEFAULT PRIVILEGES FOR ROLE maker IN SCHEMA s GRANT SELECT ON TABLES TO taker;
    CREATE POLICY p ON a.b FOR SELECT TO one, "t wo" USING ((n > 0));
    ALTER ROLE setter IN DATABASE x SET work_mem TO '1MB';
    COMMENT ON TABLE a.b IS 'GRANT x TO nobody;';
    CREATE FUNCTION f() AS $$ ALTER TABLE t OWNER TO inner; $$;"""
    assert find_roles(text) == {"the owner", "reader", "maker", "taker", "one", "t wo", "setter"}


def test_roles_are_made_without_power_over_the_server_and_without_rights_on_roles_that_are_there() -> None:
    known = KnownRoles(GLOBALS)
    made = known.statements(["app", "root", "unknown"])
    assert made == [
        "CREATE ROLE \"app\" WITH INHERIT NOCREATEDB LOGIN PASSWORD 'SCRAM-SHA-256$4096:x$y:z'",
        "CREATE ROLE \"root\" WITH INHERIT CREATEDB LOGIN VALID UNTIL 'infinity'",
        'CREATE ROLE "unknown" WITH NOLOGIN',
        'GRANT "app" TO "root" WITH ADMIN OPTION',
    ]
    assert "SUPERUSER" in known.describe("root")
    assert "without a login" in known.describe("unknown")


def test_how_a_database_was_made_is_taken_apart_and_never_passed_on_as_it_is() -> None:
    sql = """CREATE DATABASE "a b" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'de; x' ICU_LOCALE = 'de'
    TABLESPACE = evil;
    ALTER DATABASE "a b" OWNER TO x;
    ALTER DATABASE "a b" SET search_path TO 'a', 'b';
    GRANT CREATE ON DATABASE "a b" TO y;
    ALTER DATABASE other SET work_mem TO '1MB';
    CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;
    SET default_tablespace = fast;"""
    contents = parse_contents(sql, "a b")
    assert contents.making == [
        "ENCODING = 'UTF8'",
        "LOCALE_PROVIDER = icu",
        "LOCALE = 'de; x'",
        "ICU_LOCALE = 'de'",
    ]
    assert contents.properties == [
        ("ALTER DATABASE ", " SET search_path TO 'a', 'b'"),
        ("GRANT CREATE ON DATABASE ", " TO y"),
    ]
    assert (contents.extensions, contents.tablespaces) == (["uuid-ossp"], {"fast"})


@pytest.mark.parametrize("table", ["a.b; DROP TABLE x", 'a."b', "b", "a.b.c", "(select 1)"])
def test_a_table_of_a_manifest_that_is_no_name_is_none(table: str) -> None:
    assert _QUALIFIED.fullmatch(table) is None or ";" in table


def test_majors_are_read_from_versions() -> None:
    assert [major_of(each) for each in ("15.4 (Debian)", "9.6.3", None, "devel")] == [15, 9, 0, 0]
