"""kill -9 of the whole server under load: clients go on as if it had only been slow."""

import json
import signal
import ssl
import subprocess
import sys
import threading
import time
from http.client import HTTPException
from pathlib import Path

import httpx
import pytest
import yaml
from tests.integration.apiserver.serving import Running
from tests.integration.apiserver.test_watches import Watch
from tests.integration.apiserver.widgets import build_widget, build_widget_crd

from strongroom.apiserver.bootstrap import kubeconfigs_in
from strongroom.apiserver.serve import Endpoint

KILLS = 4
WIDGETS = "/apis/demo.dev/v1/namespaces/default/widgets"


class Process:
    """A server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.state_dir = folder / "state"
        self._crds = folder / "crds.yaml"
        self._crds.write_text(json.dumps(build_widget_crd()))

    def start(self) -> Running:
        command = [
            sys.executable,
            "-m",
            "strongroom.apiserver",
            "--state",
            self.state_dir,
            "--crds",
            self._crds,
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        words = self._process.stdout.readline().split()
        assert words[0] == "ready", words
        port = int(words[1].rpartition(":")[2])
        return Running(Endpoint(words[1], port, kubeconfigs_in(self.state_dir)), self.state_dir)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def end(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=20)
        return self._process.returncode


@pytest.fixture
def process(tmp_path):
    process = Process(tmp_path)
    yield process
    process.kill()


def test_acknowledged_writes_survive_and_watches_resume_without_a_gap(process):
    acknowledged: dict[str, int] = {}
    seen: dict[int, tuple[str, str]] = {}
    running = process.start()
    ports = {running.endpoint.port}
    resume = "0"
    for generation in range(KILLS):
        with Watch(running, WIDGETS, resourceVersion=resume, allowWatchBookmarks="true") as watch:
            writers = [
                threading.Thread(target=write, args=(running, f"g{generation}w{n}", acknowledged))
                for n in range(3)
            ]
            for writer in writers:
                writer.start()
            time.sleep(0.4)
            process.kill()
            for writer in writers:
                writer.join(20)
        for event in watch.events:
            assert event["type"] != "ERROR", event
            metadata = event["object"]["metadata"]
            seen[int(metadata["resourceVersion"])] = (event["type"], metadata["name"])
        resume = str(max(seen, default=0))
        running = process.start()
        ports.add(running.endpoint.port)
    with Watch(running, WIDGETS, resourceVersion=resume) as watch, running.client() as client:
        client.post(WIDGETS, json=build_widget("last"))
        deadline = time.monotonic() + 60
        while not any(event["object"]["metadata"]["name"] == "last" for event in watch.events):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        seen |= {
            int(e["object"]["metadata"]["resourceVersion"]): ("", e["object"]["metadata"]["name"])
            for e in watch.events
        }
        there = {item["metadata"]["name"]: item for item in client.get(WIDGETS).json()["items"]}
    assert len(acknowledged) > 20
    assert len(ports) == 1
    assert {name: int(there[name]["metadata"]["resourceVersion"]) for name in acknowledged} == acknowledged
    # What a watch has seen, resumed after every kill, is all there is.
    assert {name for _, name in seen.values()} == set(there)
    assert process.end() == 0


def write(running: Running, prefix: str, acknowledged: dict[str, int]) -> None:
    with running.client() as client:
        for number in range(1_000_000):
            try:
                answer = client.post(WIDGETS, json=build_widget(f"{prefix}n{number}"))
            except (httpx.TransportError, HTTPException, ssl.SSLError):
                return
            assert answer.status_code == 201, answer.text
            made = answer.json()["metadata"]
            acknowledged[made["name"]] = int(made["resourceVersion"])


def test_a_polite_end_closes_streams_properly(process):
    running = process.start()
    with Watch(running, WIDGETS) as watch:
        assert process.end() == 0
        watch._thread.join(10)
        assert watch.ended


def test_the_kubeconfig_on_disk_is_the_one_that_works(process):
    running = process.start()
    config = yaml.safe_load((process.state_dir / "admin.kubeconfig").read_text())
    assert config["clusters"][0]["cluster"]["server"] == running.endpoint.url
