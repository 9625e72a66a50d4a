"""The journal is read by the process with more rights: what is in its folder is believed only where it is an entry."""

import os
from pathlib import Path

import pytest

from strongroom.engine.journal import CommandReference, Journal, Taken

STOPPED = Taken(
    action="Stop",
    container="a" * 64,
    name="shop-web-1",
    state="running",
    started_at="2026-01-02T03:04:05.678Z",
    settle_seconds=40,
)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def test_a_journal_without_a_folder_has_nothing_to_undo(journal: Journal) -> None:
    assert journal.entries() == []


def test_entries_outlive_the_process_and_come_newest_first(journal: Journal, tmp_path: Path) -> None:
    owed = journal.owe(CommandReference(source="media", phase="after", index=1))
    stopped = journal.record(STOPPED)
    assert Journal(tmp_path / "journal").entries() == [stopped, owed]


def test_what_is_confirmed_is_done_and_stays_to_be_undone(journal: Journal) -> None:
    journal.confirm(journal.record(STOPPED))
    (entry,) = journal.entries()
    assert entry.taken is not None
    assert entry.taken.done


def test_removing_twice_is_removing_once(journal: Journal) -> None:
    entry = journal.record(STOPPED)
    for _ in range(2):
        journal.remove(entry)
    assert journal.entries() == []


def test_an_entry_that_was_cut_short_by_a_kill_does_not_count(journal: Journal, tmp_path: Path) -> None:
    stopped = journal.record(STOPPED)
    (tmp_path / "journal/000002.new").write_text('{"number":2,')
    assert journal.entries() == [stopped]
    assert journal.record(STOPPED).number == 2


def test_links_pipes_and_foreign_texts_are_passed_over(journal: Journal, tmp_path: Path) -> None:
    stopped, folder = journal.record(STOPPED), tmp_path / "journal"
    (tmp_path / "elsewhere").write_text(
        (folder / "000001.json").read_text().replace('"number":1', '"number":2')
    )
    (folder / "000002.json").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(folder / "000003.json")
    (folder / "000004.json").write_text((folder / "000001.json").read_text())
    (folder / "000005.json").write_text(" " * 100_000 + "{}")
    (folder / "000006.json").write_text('{"number":6,"recordedAt":"2026-01-02T03:04:05Z","run":["sh"]}')
    (folder / "000007.json").mkdir()
    assert journal.entries() == [stopped]


@pytest.mark.parametrize("name", ["2.json", "0000002.json", "²²²²²².json", "٠٠٠٠٠٢.json"])
def test_an_entry_under_a_name_that_is_not_its_own_would_come_again_for_ever_and_is_passed_over(
    journal: Journal, tmp_path: Path, name: str
) -> None:
    stopped, folder = journal.record(STOPPED), tmp_path / "journal"
    text = (folder / "000001.json").read_text().replace('"number":1', '"number":2')
    (folder / name).write_text(text)
    assert journal.entries() == [stopped]
    assert journal.next_number == 2
