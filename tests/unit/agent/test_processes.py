import os
import signal
import subprocess
import sys
import time

import pytest

from strongroom.agent import processes
from strongroom.agent.folders import JobFolder
from strongroom.agent.workers import start_worker
from strongroom.agent.working import Launch

ODD_NAME = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'a) R (b'); print(flush=True); time.sleep(60)"


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_process_is_itself_until_it_ends(sleeper):
    identity = processes.identify(sleeper.pid)
    assert processes.is_alive(identity)
    assert processes.identify_child(sleeper.pid) == identity
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not processes.is_alive(identity), "one that only waits to be reaped is not alive"
    assert processes.identify_child(sleeper.pid) == identity


def test_a_number_used_again_or_of_another_boot_is_another_process(sleeper):
    identity = processes.identify(sleeper.pid)
    other = identity.model_copy(update={"start_ticks": identity.start_ticks - 1})
    rebooted = identity.model_copy(update={"boot_id": "another"})
    for stranger in (other, rebooted):
        assert not processes.is_alive(stranger)
        assert processes.kill_session(stranger) == 0
        processes.terminate_group(stranger)
    assert sleeper.poll() is None


def test_a_program_may_have_any_name():
    command = [sys.executable, "-c", ODD_NAME]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        process.stdout.readline()
        assert processes.identify(process.pid).pid == process.pid
        assert processes.kill_session(processes.identify(process.pid)) == 1


def test_a_whole_session_is_killed_even_without_its_leader():
    shell = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; exec sleep 60"], stdout=subprocess.PIPE, start_new_session=True
    )
    child = int(shell.stdout.readline())
    leader = processes.identify(shell.pid)
    shell.kill()
    shell.wait()
    shell.stdout.close()
    assert processes.is_alive(processes.identify(child))
    assert processes.kill_session(leader) == 1
    deadline = time.monotonic() + 60
    while processes.identify(child) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processes.identify(child) is None


def test_what_works_in_a_folder_is_killed_and_nothing_else(tmp_path, sleeper):
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path, start_new_session=True) as inside:
        assert processes.kill_inside(tmp_path) == 1
        assert inside.wait() == -signal.SIGKILL
    assert processes.kill_inside(tmp_path) == 0
    assert sleeper.poll() is None


def test_a_worker_is_found_by_its_order(tmp_path):
    order = str(tmp_path / "order.json")
    assert processes.find_by_argument(order) is None
    command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)", "--order", order]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        process.stdout.readline()
        assert processes.find_by_argument(order).pid == process.pid
        process.send_signal(signal.SIGKILL)


@pytest.fixture
def launch(tmp_path):
    folder = JobFolder(tmp_path, tmp_path / "secrets")
    launch = Launch(plan=None, folder=folder, number=1, order=None)
    folder.scratch.mkdir()
    launch.files.output.mkdir(parents=True)
    return launch


def test_a_worker_starts_with_little_of_the_agents_environment(launch, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "canary")
    monkeypatch.setenv("KUBECONFIG", "/somewhere")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/etc/strongroom/aws")
    worker = start_worker(["sh", "-c", "env; exec sleep 0"], launch, lambda _: None)
    os.waitid(os.P_PID, worker.identity.pid, os.WEXITED | os.WNOWAIT)
    lines = launch.files.progress.read_text().splitlines()
    assert {line.split("=")[0] for line in lines} <= {
        "PATH",
        "LANG",
        "LC_ALL",
        "TZ",
        "HOME",
        "TMPDIR",
        "PWD",
        "SHLVL",
        "_",
        "OLDPWD",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "AWS_SHARED_CREDENTIALS_FILE",
    }
    assert "AWS_SHARED_CREDENTIALS_FILE=/etc/strongroom/aws" in lines
    assert f"HOME={launch.folder.scratch}" in lines


def test_a_worker_that_cannot_be_written_down_does_not_run(launch):
    seen = []

    def refuse(identity):
        seen.append(identity)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        start_worker(["sleep", "60"], launch, refuse)
    assert not processes.is_alive(seen[0])
