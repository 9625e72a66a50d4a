"""The gate between a worker and a real Engine."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest
from tests.images.build import BASE

from strongroom.agent.gate.rules import Rules, rules_text
from strongroom.api.containers import ContainerSelector
from strongroom.engine.connecting import connect_engine
from strongroom.engine.containers import find_container
from strongroom.engine.execs import ExecOptions, ExecStream, run_command


@pytest.fixture(scope="module")
def containers(engine):
    """Two containers, of which the order names one."""
    names = ("ours", "theirs")
    return {
        name: engine.docker("run", "--detach", "--init", f"--name={name}", BASE, "sleep", "600")
        for name in names
    }


@pytest.fixture(scope="module")
def gate(engine, containers, tmp_path_factory):
    """Path of its socket: too long for an address, so that tests go through the folder."""
    folder = tmp_path_factory.mktemp("gate")
    ours = frozenset([containers["ours"]])
    rules = Rules(
        engine=str(engine.socket),
        socket="docker.sock",
        seconds=600,
        names={"ours": containers["ours"]},
        inspect=ours,
        exec=ours,
        control=ours,
        volumes=frozenset(),
    )
    (folder / "gate.json").write_bytes(rules_text(rules))
    command = [sys.executable, "-m", "strongroom.agent.gate", str(folder / "gate.json")]
    with subprocess.Popen(command, cwd=folder) as process:
        deadline = time.monotonic() + 60
        while not (folder / "docker.sock").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield folder / "docker.sock"
        process.kill()


@pytest.fixture
def through(gate):
    """The Engine as a worker behind the gate has it."""
    return connect_engine(f"unix://{gate}")


@pytest.fixture
def ours(through):
    return find_container(through, ContainerSelector(name="ours"), "a test")


def talk(gate, raw):
    """All that comes back for these bytes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(gate))
        connection.sendall(raw)
        answer = b""
        while more := connection.recv(65536):
            answer += more
        return answer


def post(path, body, *headers):
    text = json.dumps(body).encode()
    lines = (f"POST {path} HTTP/1.1", "Host: docker", f"Content-Length: {len(text)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + text


def test_commands_run_in_the_orders_container_through_the_gate(through, ours):
    done = run_command(through, ours, ["echo", "a b"], marker="strongroom-t", timeout_seconds=20)
    assert (done.exit_code, done.output_excerpt) == (0, "a b")


def test_a_stream_comes_through_whole_and_its_input_ends_when_it_is_closed(through, ours):
    sent = os.urandom(3 << 20)
    with ExecStream(through, ours, ["cat"], marker="strongroom-t", options=ExecOptions(stdin=True)) as stream:
        got = bytearray()
        for start in range(0, len(sent), 65536):
            stream.write(sent[start : start + 65536])
            got += stream.read(65536)
        stream.close_stdin()
        while chunk := stream.read(65536):
            got += chunk
        assert stream.wait() == 0
    assert bytes(got) == sent


def test_services_of_the_order_are_paused_and_put_back(engine, through, ours, containers):
    through.api.pause(ours.id)
    assert engine.docker("inspect", "--format={{.State.Status}}", "ours") == "paused"
    through.api.unpause("ours")
    assert engine.docker("inspect", "--format={{.State.Status}}", "ours") == "running"


def test_no_other_container_is_reached(through, containers):
    other = find_container(through, ContainerSelector(name="theirs"), "a test")
    for attempt in (
        lambda: run_command(through, other, ["true"], marker="strongroom-t", timeout_seconds=20),
        lambda: through.api.inspect_container(containers["theirs"]),
        lambda: through.api.stop("theirs"),
    ):
        with pytest.raises(Exception, match="gate"):
            attempt()


def test_an_exec_made_elsewhere_is_not_started(engine, gate, through, containers):
    direct = connect_engine(engine.url)
    made = direct.api.exec_create(containers["theirs"], ["touch", "/escaped"])["Id"]
    answer = talk(gate, post(f"/exec/{made}/start", {"Detach": True, "Tty": False}))
    assert b"403" in answer.splitlines()[0]
    assert engine.docker("exec", "theirs", "sh", "-c", "test -e /escaped || echo absent") == "absent"


@pytest.mark.parametrize(
    "raw",
    [
        post("/containers/create?name=evil", {"Image": BASE, "HostConfig": {"Privileged": True}}),
        post("/v1.41/containers/../containers/create?name=evil", {"Image": BASE}),
        post("/containers/%63reate?name=evil", {"Image": BASE}),
        post("http://docker/containers/create?name=evil", {"Image": BASE}),
        post("/images/create?fromImage=evil", {}),
        post("/swarm/init", {}),
        post("/volumes/create", {"Name": "evil"}),
        post("/containers/ours/exec", {"Cmd": ["true"], "Privileged": True}),
        post("/containers/ours/update", {"Memory": 0}),
        b"POST /containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"GET /version HTTP/1.1\r\nHost: x\r\n X-Folded: y\r\n\r\n",
    ],
)
def test_what_would_be_root_on_the_host_is_refused(engine, gate, raw):
    assert talk(gate, raw).startswith((b"HTTP/1.1 400", b"HTTP/1.1 403"))
    assert engine.docker("ps", "--all", "--quiet", "--filter=name=evil") == ""
    assert engine.docker("volume", "ls", "--quiet", "--filter=name=evil") == ""


def test_a_second_request_on_a_connection_reaches_nobody(engine, gate):
    evil = post("/containers/create?name=evil", {"Image": BASE})
    answer = talk(gate, b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n" + evil)
    assert answer.startswith(b"HTTP/1.1 400")
    assert engine.docker("ps", "--all", "--quiet", "--filter=name=evil") == ""


def test_a_request_behind_an_upgrade_is_input_of_the_program_and_nothing_else(engine, gate, through, ours):
    evil = post("/containers/create?name=evil", {"Image": BASE})
    made = through.api.exec_create(ours.id, ["head", "-c", str(len(evil))], stdin=True)["Id"]
    start = post(
        f"/exec/{made}/start", {"Detach": False, "Tty": False}, "Connection: Upgrade", "Upgrade: tcp"
    )
    answer = talk(gate, start + evil)
    assert answer.startswith(b"HTTP/1.1 101")
    assert b"containers/create" in answer
    assert engine.docker("ps", "--all", "--quiet", "--filter=name=evil") == ""


def test_a_request_behind_an_upgrade_that_the_engine_refuses_reaches_nobody(engine, gate, through, ours):
    """The Engine leaves such a connection open for more requests."""
    made = through.api.exec_create(ours.id, ["true"], stdin=True)["Id"]
    start = post(
        f"/exec/{made}/start", {"Detach": False, "Tty": False}, "Connection: Upgrade", "Upgrade: tcp"
    )
    evil = post("/containers/create?name=evil", {"Image": BASE})
    engine.docker("pause", "ours")
    try:
        assert talk(gate, start + evil).startswith(b"HTTP/1.1 409")
    finally:
        engine.docker("unpause", "ours")
    assert engine.docker("ps", "--all", "--quiet", "--filter=name=evil") == ""


def test_programs_end_with_the_worker_that_started_them(engine, gate, containers):
    """A worker that is killed closes its connections; the gate hands that on."""
    code = (
        "import sys; from strongroom.engine.connecting import connect_engine as c;"
        "from strongroom.engine.containers import find_container as f;"
        "from strongroom.engine.execs import ExecStream as E; from strongroom.api.containers import ContainerSelector as S;"
        "e = c(sys.argv[1]); s = E(e, f(e, S(name='ours'), 't'), ['sleep', '577'], marker='strongroom-k');"
        "print('started', flush=True); s.read(1)"
    )
    command = [sys.executable, "-c", code, f"unix://{gate}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout.readline() == "started\n"
        worker.kill()
    deadline = time.monotonic() + 60
    while "577" in engine.docker("top", "ours", "-o", "pid,args"):
        assert time.monotonic() < deadline, "sleep 577 still runs"
        time.sleep(0.05)
