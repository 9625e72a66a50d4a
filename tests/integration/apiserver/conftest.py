"""One real server for all tests here (each test in a namespace of its own), and every kubectl that is at hand."""

import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.apiserver.serving import Running, ServerThread
from tests.integration.apiserver.widgets import build_widget_crd

from strongroom.apiserver.settings import Settings

_NUMBERS = itertools.count(1)
_OLDEST_MINOR = 29


def find_kubectls() -> dict[str, Path]:
    """kubectl binaries by name: the wheel's, and those that lie beside a dispatching kubectl as kubectl.1.NN."""
    found = {"wheel": Path(sys.executable).with_name("kubectl")}
    dispatcher = shutil.which("kubectl", path=os.defpath + os.pathsep + os.environ.get("PATH", ""))
    for directory in {Path(dispatcher).parent, Path(dispatcher).resolve().parent} if dispatcher else ():
        for path in directory.glob("kubectl.1.*"):
            minor = re.fullmatch(r"kubectl\.1\.(\d+)", path.name)
            if minor and int(minor[1]) >= _OLDEST_MINOR:
                found[f"1.{minor[1]}"] = path
    return {name: path for name, path in sorted(found.items(), reverse=True) if path.exists()}


KUBECTLS = find_kubectls()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = Settings(tmp_path_factory.mktemp("apiserver"), crds=[build_widget_crd()])
    with ServerThread(settings) as running:
        yield running


@pytest.fixture(scope="session")
def api(server: Running) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def namespace(api: httpx.Client) -> str:
    """A namespace of the test's own."""
    name = f"t{next(_NUMBERS)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert api.post("/api/v1/namespaces", json=body).status_code == 201
    return name


@pytest.fixture
def widgets(namespace: str) -> str:
    """The path of the test's own widgets."""
    return f"/apis/demo.dev/v1/namespaces/{namespace}/widgets"


@dataclass
class Kubectl:
    """One kubectl with its own home, bound to a namespace."""

    binary: Path
    home: Path
    kubeconfig: Path
    namespace: str

    def __call__(self, *arguments: str, stdin: str = "", fails: bool = False, **environment: str) -> str:
        done = self.run(*arguments, stdin=stdin, **environment)
        assert (done.returncode != 0) == fails, f"kubectl {arguments}: {done.stdout}\n{done.stderr}"
        return done.stderr if fails else done.stdout

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            input=stdin,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def command(self, *arguments: str) -> list[str]:
        return [str(self.binary), "-n", self.namespace, *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "KUBECONFIG": str(self.kubeconfig),
            **more,
        }


def build_kubectl(
    name: str, server: Running, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Kubectl:
    """Its discovery cache is kept for the session, as a user's would be."""
    home = tmp_path_factory.getbasetemp() / f"home-{name}"
    home.mkdir(exist_ok=True)
    return Kubectl(KUBECTLS[name], home, server.endpoint.kubeconfigs.admin, namespace)


@pytest.fixture(params=list(KUBECTLS) if os.environ.get("STRONGROOM_ALL_KUBECTLS") else ["wheel"])
def kubectl(
    request: pytest.FixtureRequest, server: Running, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Kubectl:
    """The newest kubectl; with STRONGROOM_ALL_KUBECTLS set, each that is at hand."""
    return build_kubectl(request.param, server, namespace, tmp_path_factory)


@pytest.fixture(params=[name for name in KUBECTLS if name != "wheel"])
def older_kubectl(
    request: pytest.FixtureRequest, server: Running, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Kubectl:
    """Each older kubectl that is at hand."""
    return build_kubectl(request.param, server, namespace, tmp_path_factory)


def eventually(check: Callable[[], Any], seconds: float = 60) -> Any:
    """The first true answer of `check`, within a deadline."""
    end = time.monotonic() + seconds
    while not (answer := check()):
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.02)
    return answer
