"""Counting rows from pg_restore's SQL, whatever the chunks, the names and the values are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.api.errors import StrongroomError
from strongroom.sources.postgres.archive import parse_table_data
from strongroom.sources.postgres.rowcounts import RowCounter, TableCount

HEAD = rb"""--
-- PostgreSQL database dump
--

\restrict it's "only" a token; COPY public.x (a) FROM stdin;

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
-- Data for Name: don't; COPY public.x (a) FROM stdin;
"""
TAIL = b"SELECT pg_catalog.setval('public.\"odd\nCOPY public.x (a) FROM stdin;\n\"', 1, true);\n\n-- done\n\n"

names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
rows = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r\\"), max_size=20)
    | st.sampled_from(["", "\\\\.", "\\.x", " \\.", "COPY public.x (a) FROM stdin;", "\\N", "\\\\"]),
    max_size=6,
)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def copied(schema: str, name: str, lines: list[str]) -> str:
    text = "".join(f"{line}\n" for line in lines)
    return f'COPY {quoted(schema)}.{quoted(name)} (a, "b FROM stdin;\n") FROM stdin;\n{text}\\.\n\n\n'


def count(sql: bytes, size: int) -> list[TableCount]:
    counter = RowCounter()
    for start in range(0, len(sql), size):
        counter.write(sql[start : start + size])
    return counter.finish()


@given(st.lists(st.tuples(names, names, rows), max_size=4), st.integers(1, 300))
def test_every_row_is_counted_once_and_nothing_else(
    tables: list[tuple[str, str, list[str]]], size: int
) -> None:
    sql = HEAD + "".join(copied(*table) for table in tables).encode() + TAIL
    found = [(table.schema, table.name, table.rows) for table in count(sql, size)]
    assert found == [(schema, name, len(lines)) for schema, name, lines in tables]


def test_a_table_without_columns_and_plain_names_are_understood() -> None:
    sql = (
        b"COPY public.empty  FROM stdin;\n\n\n\\.\n\nCOPY shop.order_line (id, line) FROM stdin;\n1\t2\n\\.\n"
    )
    found = [(table.quoted, table.rows) for table in count(sql, 7)]
    assert found == [("public.empty", 2), ("shop.order_line", 1)]


def test_a_row_longer_than_every_chunk_takes_no_memory() -> None:
    counter = RowCounter()
    counter.write(b"COPY public.t (a) FROM stdin;\n")
    for _ in range(1000):
        counter.write(b"x" * 1000)
        assert counter._rest == b""
    counter.write(b"\n\\.\n")
    assert counter.finish()[0].rows == 1


@pytest.mark.parametrize(
    "sql", [b"COPY public.t (a) FROM stdin;\n1\n", b"COPY public.t (a) FROM", b"SELECT 'open", b"-- no end"]
)
def test_sql_that_ends_in_the_middle_is_told(sql: bytes) -> None:
    with pytest.raises(StrongroomError, match="ended early"):
        count(sql, 5)


def test_only_table_data_lines_are_read_from_a_listing() -> None:
    listing = (
        ";\n; Archive created at 2026\n;\n"
        "3337; 0 16385 TABLE DATA public a TABLE DATA b owner\n"
        "217; 1259 16390 TABLE public TABLE DATA owner\n"
        "218; 1259 16391 VIEW public x TABLE DATA y owner\n"
    )
    assert parse_table_data(listing) == ["public a TABLE DATA b owner"]
