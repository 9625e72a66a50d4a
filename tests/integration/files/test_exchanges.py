"""An exchange that is cut short at any moment is completed or undone, and nothing is lost on either way."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.files.hostile import END, ROOT, file, header
from tests.integration.files.trees import describe_tree

from strongroom.api.errors import StrongroomError
from strongroom.api.result import Artifact
from strongroom.sources.files.restoring import exchanges
from strongroom.sources.files.restoring.carrying import Carrier
from strongroom.sources.files.restoring.exchanges import EntryWise, Exchange, OneStep
from strongroom.sources.files.restoring.trees import Goal, TreeRestoration
from strongroom.sources.files.restoring.works import Work, work_name
from strongroom.sources.files.selection import Selection
from strongroom.sources.restoration import State

NEW = (
    ROOT
    + file(b"./same", b"new")
    + header(b"./d", b"5", mode=0o755)
    + file(b"./d/x", b"new")
    + file(b"./only new", b"n")
)
ARTIFACT = Artifact.model_validate(
    {
        "source": "media",
        "kind": "files",
        "file": "media.tar.zst",
        "plainBytes": len(NEW + END),
        "plainSha256": "0" * 64,
        "storedBytes": 1,
        "storedSha256": "0" * 64,
        "memberCount": 5,
        "memberBytes": 7,
    }
)


class Cut(BaseException):
    """As if the process had been killed."""


def build(place: Path, *, entry_wise: bool) -> tuple[TreeRestoration, Exchange, Work]:
    above = place if entry_wise else place.parent
    work = Work(os.fsencode(above) + b"/" + work_name("uid", "media"))
    name = os.fsencode(place)
    exchange: Exchange = EntryWise(work, name) if entry_wise else OneStep(work, name)
    goal = Goal(ARTIFACT, "source media", str(place), name, "kept", "folder", replaces=True)
    return TreeRestoration(goal, work, exchange), exchange, work


def prepare(restoration: TreeRestoration) -> None:
    with restoration.prepare() as intake:
        intake.write(NEW + END)
        intake.finish()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    (folder / "d").mkdir(parents=True)
    for name in ("same", "d/x", "only old"):
        (folder / name).write_text("old")
    (folder / "link").symlink_to("/etc")
    return folder


def contents(place: Path) -> dict[str, str]:
    found = {str(path.relative_to(place)): path for path in place.rglob("*")}
    return {
        name: path.read_text() if path.is_file() and not path.is_symlink() else ""
        for name, path in found.items()
        if not name.startswith(".strongroom-")
    }


RESTORED = {"same": "new", "d": "", "d/x": "new", "only new": "n"}
ACTS = ("move", "exchange", "copy_attributes", "sync_file_system", "sync_folder")


def cut_at(monkeypatch: pytest.MonkeyPatch, number: int) -> Callable[[], int]:
    """The process dies before that act of an exchange; how many acts there were."""
    done = [0]

    def dying(act: Callable[..., None]) -> Callable[..., None]:
        def wrapped(*arguments: object) -> None:
            done[0] += 1
            if done[0] == number:
                raise Cut
            act(*arguments)

        return wrapped

    for name in ACTS:
        monkeypatch.setattr(exchanges, name, dying(getattr(exchanges, name)))
    take = Work.take_step
    monkeypatch.setattr(Work, "take_step", dying(take))
    forget = Work.forget_step
    monkeypatch.setattr(Work, "forget_step", dying(forget))
    return lambda: done[0]


def count_acts(tmp_path: Path, act: str, *, entry_wise: bool) -> int:
    """How many moments there are at which it can be cut."""
    folder = tmp_path / "counted"
    (folder / "d").mkdir(parents=True)
    for name in ("same", "d/x", "only old"):
        (folder / name).write_text("old")
    (folder / "link").symlink_to("/etc")
    restoration, exchange, _ = build(folder, entry_wise=entry_wise)
    prepare(restoration)
    with pytest.MonkeyPatch.context() as patch:
        if act == "swap_back":
            exchange.swap()
        counted = cut_at(patch, -1)
        getattr(exchange, act)()
        return counted()


@pytest.mark.parametrize("way_out", ["swap", "swap_back"])
@pytest.mark.parametrize("act", ["swap", "swap_back"])
@pytest.mark.parametrize("entry_wise", [True, False])
def test_it_is_completed_or_undone_wherever_it_was_cut(
    place: Path, tmp_path: Path, entry_wise: bool, act: str, way_out: str
) -> None:
    acts = count_acts(tmp_path, act, entry_wise=entry_wise)
    assert acts > (10 if entry_wise else 2)
    before = describe_tree(place)
    for number in range(1, acts + 1):
        restoration, exchange, _ = build(place, entry_wise=entry_wise)
        prepare(restoration)
        if act == "swap_back":
            exchange.swap()
        with pytest.MonkeyPatch.context() as patch:
            cut_at(patch, number)
            with pytest.raises(Cut):
                getattr(exchange, act)()
        again, exchange, _ = build(place, entry_wise=entry_wise)
        assert exchange.find_state() is not State.Untouched
        if way_out == "swap":
            assert again.swap() is not None
            assert exchange.find_state() is State.Swapped
            assert contents(place) == RESTORED, number
            assert again.swap() is not None
        again.swap_back()
        assert exchange.find_state() is State.Prepared
        again.swap_back()
        again.discard()
        assert exchange.find_state() is State.Untouched
        after = describe_tree(place)
        assert after == before, number


def test_what_somebody_puts_in_the_way_is_kept_with_the_old(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restoration, exchange, work = build(place, entry_wise=True)
    prepare(restoration)
    with pytest.MonkeyPatch.context() as patch:
        cut_at(patch, 12)
        with pytest.raises(Cut):
            exchange.swap()
    (place / "same").write_text("by a service that runs")
    exchange.swap()
    assert contents(place) == RESTORED
    assert (Path(os.fsdecode(work.late)) / "1").read_text() == "by a service that runs"
    (place / "made since").write_text("on the new state")
    exchange.swap_back()
    assert "made since" not in contents(place)
    assert contents(place)["only old"] == "old"


@pytest.mark.parametrize("entry_wise", [True, False])
def test_what_was_killed_while_it_was_made_is_nothing_and_is_made_anew(place: Path, entry_wise: bool) -> None:
    before = describe_tree(place)
    _, exchange, _ = build(place, entry_wise=entry_wise)
    script = (
        "import os, signal, sys; from pathlib import Path; from tests.integration.files.test_exchanges import *;"
        f"r = build(Path({str(place)!r}), entry_wise={entry_wise})[0]; i = r.prepare(); i.write(NEW);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    here = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=here,
        env={"PYTHONPATH": f"{here}:{here / 'operator'}", "PATH": os.environ["PATH"]},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert exchange.find_state() is State.Untouched
    restoration, exchange, _ = build(place, entry_wise=entry_wise)
    prepare(restoration)
    assert exchange.find_state() is State.Prepared
    restoration.discard()
    assert contents(place) == {"same": "old", "d": "", "d/x": "old", "only old": "old", "link": ""}
    assert describe_tree(place).keys() == before.keys()


@pytest.mark.parametrize("folder", ["old", "tree", "late"])
def test_a_link_that_somebody_puts_into_the_private_folder_leads_nowhere(
    place: Path, tmp_path: Path, folder: str
) -> None:
    """Whoever is root in a container can write into its volume, private folders included."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "passwd").write_text("of the host")
    restoration, _exchange, work = build(place, entry_wise=True)
    prepare(restoration)
    inside = Path(os.fsdecode(work.folder))
    if (inside / folder).exists():
        (inside / folder).rename(tmp_path / "away")
    (inside / folder).symlink_to(outside)
    before = contents(place)
    with pytest.raises(StrongroomError):
        restoration.swap()
    assert contents(place) == before
    assert [path.name for path in outside.iterdir()] == ["passwd"]
    restoration.discard()
    assert (outside / "passwd").exists()


def test_what_is_carried_over_goes_through_no_link_of_the_new_tree(place: Path, tmp_path: Path) -> None:
    new, outside = tmp_path / "new", tmp_path / "outside"
    for each in (new, outside):
        each.mkdir()
    (new / "d").symlink_to(outside)
    (new / "file").touch()
    (place / "file/deep").mkdir(parents=True)
    (place / "file/deep/a.tmp").touch()
    (place / "d/a.tmp").touch()
    (place / "e/f").mkdir(parents=True)
    (place / "e/f/b.tmp").touch()
    Carrier(Selection((), ("*.tmp",), "x")).carry(os.fsencode(place), os.fsencode(new))
    assert list(outside.iterdir()) == []
    assert sorted(str(path.relative_to(new)) for path in new.rglob("*.tmp")) == ["e/f/b.tmp"]


@pytest.mark.parametrize("is_swapped", [False, True])
def test_another_device_number_after_a_start_of_the_machine_hides_nothing(
    place: Path, is_swapped: bool
) -> None:
    restoration, _, work = build(place, entry_wise=False)
    old = contents(place)
    prepare(restoration)
    if is_swapped:
        restoration.swap()
    made = Path(os.fsdecode(work.folder)) / "made"
    made.write_text(re.sub(r'"device":\d+', '"device":1', made.read_text()))
    assert restoration.find_state() is (State.Swapped if is_swapped else State.Prepared)
    restoration.swap()
    assert contents(place) == RESTORED
    restoration.swap_back()
    assert (contents(place), restoration.find_state()) == (old, State.Prepared)


def test_what_takes_the_place_of_a_new_folder_meanwhile_stays(place: Path) -> None:
    restoration, exchange, work = build(place / "new", entry_wise=False)
    new = os.fsencode(place / "new")
    goal = Goal(ARTIFACT, "media", "new", new, "kept", "folder", root=os.fsencode(place))
    prepare(restoration)
    (place / "new").write_text("of somebody else")
    with pytest.raises(StrongroomError, match="made meanwhile"):
        TreeRestoration(goal, work, exchange).swap()
    assert (place / "new").read_text() == "of somebody else"
