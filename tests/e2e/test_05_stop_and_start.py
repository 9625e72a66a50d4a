"""Story: a clean stop, a start where it left off, and no second one beside it."""

from pathlib import Path

import pytest
from tests.e2e.stronghold import Stronghold, eventually, stronghold

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory):
    options = ("--engine", "unix:///nonexistent/docker.sock", "--probe-seconds", "2")
    with stronghold(tmp_path_factory.mktemp("own"), options=options) as started:
        yield started


def test_a_second_up_on_one_state_folder_is_refused(own: Stronghold) -> None:
    done = own.strongroom("up", "--state", str(own.state), "--metrics-port", "0")
    assert done.returncode == 1
    assert "another `strongroom up`" in done.stderr


@pytest.mark.parametrize("part", ["apiserver", "operator", "agent"])
def test_a_part_that_dies_is_started_again(own: Stronghold, part: str) -> None:
    (process,) = own.part(part)
    process.kill()
    eventually(f"{part} is back", lambda: [p for p in own.part(part) if p.pid != process.pid], 30)
    own.when("dockerhost", "local", "Ready", seconds=60)


def test_parts_that_hang_are_started_again(own: Stronghold) -> None:
    hanging = [process for part in ("operator", "agent") for process in own.part(part)]
    for process in hanging:
        eventually("it is known to work", lambda process=process: f"(pid {process.pid}) works" in own.log)
        process.suspend()
    eventually("they are gone", lambda: not any(process.is_running() for process in hanging))
    for part in ("operator", "agent"):
        eventually(f"{part} is back", lambda part=part: own.part(part), 30)
    own.when("dockerhost", "local", "Ready", seconds=60)


def test_kubeconfig_and_keys_are_for_their_owner_only(own: Stronghold) -> None:
    assert own.state.stat().st_mode & 0o077 == 0 or (own.state / "apiserver").stat().st_mode & 0o077 == 0
    private = [
        p
        for p in (own.state / "apiserver").rglob("*")
        if p.is_file() and p.suffix in {".kubeconfig", ".key", ".json"}
    ]
    assert private
    assert [p for p in private if p.stat().st_mode & 0o077] == []


def test_sigterm_stops_everything_and_a_start_finds_everything(own: Stronghold) -> None:
    own.kubectl("create", "secret", "generic", "kept", "--from-literal=key=value")
    assert own.stop() == 0
    assert own.part("apiserver") + own.part("operator") + own.part("agent") == []
    own.start()
    assert own.get("secret", "kept")["data"] == {"key": "dmFsdWU="}


def test_the_log_holds_no_traceback(own: Stronghold) -> None:
    assert "Traceback" not in own.log, own.log[own.log.index("Traceback") - 500 :][:3000]


def test_the_state_is_where_it_was_asked_for(own: Stronghold) -> None:
    assert Path(own.kubeconfig).is_symlink()
