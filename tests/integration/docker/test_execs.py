"""Programs inside containers: nothing that was cut passes for whole, nothing stays behind, nothing is interpreted."""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.docker.cutting import CuttingProxy
from tests.docker.databases import DATABASE, USER, DatabaseContainer, start_database
from tests.docker.engine import Engine
from tests.images.build import POSTGRES, POSTGRES_BUSYBOX

from strongroom.api.errors import Reason, StrongroomError
from strongroom.engine.connecting import connect_engine
from strongroom.engine.execs import ExecOptions, ExecStream, build_marker, end_execs, run_command

MARKER = build_marker("run-1")
CUTS = 100
DUMP = ["pg_dump", "-Fc", "-Z0", "-U", USER, DATABASE]
_HOLD = """
import sys
from strongroom.engine.connecting import connect_engine
from strongroom.engine.containers import list_containers
from strongroom.engine.execs import ExecStream, build_marker
engine = connect_engine(sys.argv[1])
container = next(each for each in list_containers(engine) if each.name == sys.argv[2])
with ExecStream(engine, container, sys.argv[3:], marker=build_marker("run-1")) as stream:
    while stream.read(65536):
        print("reading", flush=True)
"""


@pytest.fixture(scope="module", params=[POSTGRES, POSTGRES_BUSYBOX], ids=["debian", "busybox"])
def database(engine: Engine, request: pytest.FixtureRequest) -> Iterator[DatabaseContainer]:
    name = f"execs-{request.param_index}"
    yield start_database(engine, name, image=request.param, rows=6000)
    engine.docker("rm", "--force", "--volumes", name)


def _start(database: DatabaseContainer, *argv: str, url: str | None = None, **options: object) -> ExecStream:
    engine = connect_engine(url or database.engine.url)
    return ExecStream(
        engine,
        database.container,
        argv,
        marker=MARKER,
        options=ExecOptions(**options),  # type: ignore[arg-type]
    )


def _read_all(stream: ExecStream) -> bytes:
    with stream:
        read = b""
        while chunk := stream.read(1 << 20):
            read += chunk
        assert stream.wait() == 0, stream.errors()
        return read


def test_a_dump_comes_whole_and_reads_back(database: DatabaseContainer) -> None:
    dump = _read_all(_start(database, *DUMP))
    with _start(database, "pg_restore", "--list", stdin=True) as stream:
        stream.write(dump)
        stream.close_stdin()
        listing = b"".join(iter(lambda: stream.read(4096), b""))
        assert stream.wait() == 0
    assert b"TABLE DATA public orders" in listing


def test_the_exit_code_and_the_words_of_a_program_that_fails_are_told(database: DatabaseContainer) -> None:
    with _start(database, "sh", "-c", "echo printed; echo sorry >&2; exit 9") as stream:
        assert stream.read(100) == b"printed\n"
        assert (stream.wait(), stream.errors().strip()) == (9, "sorry")


def test_a_program_killed_inside_is_no_success(database: DatabaseContainer) -> None:
    with _start(database, "sh", "-c", "echo begun; kill -KILL $$") as stream:
        stream.read(100)
        assert stream.wait() != 0


def test_a_stream_that_lost_its_copier_is_no_success(database: DatabaseContainer) -> None:
    """The program ends well, and what it wrote last is lost on the way through the container."""
    script = "echo begun; until [ -e /tmp/stopped ]; do sleep 0.1; done; echo lost; touch /tmp/written"
    lose = (
        "kill -STOP $(pidof tee); touch /tmp/stopped; until [ -e /tmp/written ]; do sleep 0.1; done; "
        "kill -KILL $(pidof tee)"
    )
    with _start(database, "sh", "-c", script) as stream:
        assert stream.read(100) == b"begun\n"
        database.engine.docker("exec", database.name, "sh", "-c", lose)
        with pytest.raises(StrongroomError) as raised:
            stream.wait()
    assert raised.value.reason is Reason.DumpIncomplete


def test_no_cut_stream_is_ever_whole(database: DatabaseContainer, tmp_path: Path) -> None:
    chance = random.Random(15)
    with CuttingProxy(tmp_path, database.engine.socket) as proxy:
        _read_all(_start(database, *DUMP, url=proxy.url))
        whole = proxy.relayed_bytes
        last = range(max(1, whole - (64 << 10)), whole)
        cuts = [chance.randrange(200, whole) for _ in range(CUTS // 4)]
        cuts += [chance.choice(last) for _ in range(CUTS // 4 - 2)] + [whole - 1, whole - 2]
        passed, reasons = [], set()
        for cut in cuts:
            proxy.cut_after = cut
            try:
                _read_all(_start(database, *DUMP, url=proxy.url))
            except StrongroomError as error:
                reasons.add(error.reason)
            else:
                passed += [cut] if proxy.has_cut else []
    assert (passed, reasons) == ([], {Reason.DumpIncomplete})
    assert database.await_programs(False, "pg_dump") == []
    assert not database.has_crashed()


def test_a_killed_reader_leaves_nothing_inside_and_the_server_alive(database: DatabaseContainer) -> None:
    command = ["sh", "-c", "echo begun; sleep 1000; sleep 1001"]
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, database.engine.url, database.name, *command], stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"reading\n"
        reader.send_signal(signal.SIGKILL)
    assert database.await_programs(False) == []
    assert not database.has_crashed()


def test_leaving_the_context_ends_what_writes_without_end(database: DatabaseContainer) -> None:
    with _start(database, "cat", "/dev/zero") as stream:
        assert stream.read(1000)
    assert database.await_programs(False) == []
    assert not database.has_crashed()


def test_whatever_is_ended_again_and_again_the_server_never_takes_it_for_a_crash(
    database: DatabaseContainer,
) -> None:
    for program in ("printf x; sleep 1000", "while :; do echo again; sleep 0.01; done") * 8:
        with _start(database, "sh", "-c", program) as stream:
            assert stream.read(1)
    assert database.await_programs(False) == []
    assert not database.has_crashed()


def test_what_a_run_left_behind_is_ended_by_its_marker_alone(database: DatabaseContainer) -> None:
    engine, container = connect_engine(database.engine.url), database.container
    other = ExecStream(engine, container, ["sleep", "2000"], marker=build_marker("run-10"))
    with _start(database, "sleep", "3000") as stream, other:
        database.await_programs(True, "sleep 2000")
        database.await_programs(True, "sleep 3000")
        end_execs(engine, container, MARKER)
        with pytest.raises(StrongroomError):
            stream.wait()
        assert [line for line in database.programs() if "sleep 2000" in line]
    end_execs(engine, container, MARKER)
    assert database.await_programs(False) == []
    assert not database.has_crashed()


def test_ending_is_quiet_where_nothing_can_run(engine: Engine) -> None:
    database = start_database(engine, "execs-gone", rows=0)
    container, connected = database.container, connect_engine(engine.url)
    engine.docker("pause", database.name)
    end_execs(connected, container, MARKER)
    engine.docker("rm", "--force", "--volumes", database.name)
    end_execs(connected, container, MARKER)


@pytest.mark.parametrize(
    ("act", "reason"), [("pause", Reason.ContainerNotFound), ("stop", Reason.ContainerNotFound)]
)
def test_a_container_that_does_not_run_is_said_to(engine: Engine, act: str, reason: Reason) -> None:
    database = start_database(engine, f"execs-{act}", rows=0)
    container = database.container
    engine.docker(act, database.name)
    with pytest.raises(StrongroomError) as raised:
        ExecStream(connect_engine(engine.url), container, ["true"], marker=MARKER)
    assert raised.value.reason is reason
    engine.docker("rm", "--force", "--volumes", database.name)


@pytest.mark.parametrize("act", [("stop", "--time", "1"), ("kill",), ("rm", "--force", "--volumes")])
def test_a_container_that_goes_while_it_is_read_is_a_failure_that_may_be_tried_again(
    engine: Engine, act: tuple[str, ...]
) -> None:
    database = start_database(engine, f"execs-going-{act[0]}", rows=0)
    with _start(database, "cat", "/dev/zero") as stream:
        stream.read(100)
        going = threading.Thread(target=engine.docker, args=(*act, database.name))
        going.start()
        with pytest.raises(StrongroomError) as raised:
            stream.wait()
        going.join()
    assert raised.value.reason in {Reason.DumpIncomplete, Reason.ContainerNotFound}


def test_an_engine_killed_while_it_is_read_is_unreachable_and_nothing_stays(fresh_engine: Engine) -> None:
    database = start_database(fresh_engine, "execs-killed", "--restart", "always", rows=0)
    with _start(database, "cat", "/dev/zero") as stream:
        stream.read(100)
        fresh_engine.kill()
        with pytest.raises(StrongroomError) as raised:
            stream.wait()
    assert raised.value.reason is Reason.EngineUnreachable
    fresh_engine.start()
    assert database.await_programs(False) == []


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=20, max_size=40
    )
)
def test_no_argument_is_ever_interpreted(database: DatabaseContainer, values: list[str]) -> None:
    nasty = [*values, "$(touch /tmp/hacked)", "`id`", "'; id; '", "-n", "*", "a b\nc", "\\", "$0", "${IFS}"]
    printed = _read_all(_start(database, "printf", "%s\\0", *nasty))
    assert printed.decode().split("\0")[:-1] == nasty


def test_a_secret_reaches_the_program_and_nobody_else(database: DatabaseContainer) -> None:
    secret = "canary-\\ $(id) 'q\" 71c9"
    with _start(database, "sh", "-c", 'printf "%s" "$WORD"; sleep 1000', secrets={"WORD": secret}) as stream:
        assert stream.read(1000).decode() == secret
        arguments = "\n".join(database.programs())
        inspected = database.engine.docker("inspect", database.name)
        execs = database.engine.docker("inspect", "--format", "{{.ExecIDs}}", database.name)
    assert not [text for text in (arguments, inspected, execs) if "canary" in text]


def test_a_command_tells_its_end_although_it_left_something_running(database: DatabaseContainer) -> None:
    engine, container = connect_engine(database.engine.url), database.container
    argv = ["sh", "-c", "echo said; sleep 5 & exit 3"]
    finished = run_command(engine, container, argv, marker=MARKER, timeout_seconds=60)
    assert (finished.exit_code, finished.output_excerpt) == (3, "said")


def test_the_last_words_of_a_command_are_told_however_much_it_said(database: DatabaseContainer) -> None:
    engine, container = connect_engine(database.engine.url), database.container
    script = "head -c 20000000 /dev/zero | tr '\\0' x; echo; echo the end"
    for _ in range(5):
        finished = run_command(engine, container, ["sh", "-c", script], marker=MARKER, timeout_seconds=60)
        assert finished.output_excerpt.endswith("x the end")


def test_a_command_that_takes_too_long_is_ended(database: DatabaseContainer) -> None:
    engine, container = connect_engine(database.engine.url), database.container
    argv = ["sh", "-c", "while :; do echo again; sleep 0.01; done"]
    with pytest.raises(StrongroomError) as raised:
        run_command(engine, container, argv, marker=MARKER, timeout_seconds=0.5)
    assert raised.value.reason is Reason.HookFailed
    assert database.await_programs(False) == []
    assert not database.has_crashed()
