"""Story: a second machine joins with one command on each side, does its share, and is shown the door."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from cryptography import x509
from tests.e2e.conftest import Shop
from tests.e2e.secondhost import SecondHost
from tests.e2e.stronghold import Stronghold, eventually, policy, run, secret, store

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stronghold]:
    """A control plane that is reached by another address than 127.0.0.1."""
    started = Stronghold(
        tmp_path_factory.mktemp("vault") / "state",
        options=(
            *("--engine", "unix:///nonexistent/docker.sock"),
            *("--bind", "127.0.0.2", "--advertise", "vault.example"),
        ),
    )
    try:
        started.start()
        yield started
    finally:
        started.end()


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> SecondHost:
    return SecondHost(tmp_path_factory.mktemp("second"))


@pytest.fixture(scope="module")
def joining(vault: Stronghold) -> list[str]:
    """The command that `strongroom token` prints."""
    done = vault.strongroom("token", "web-2")
    assert done.returncode == 0, done.stderr
    assert "--bind ADDRESS" in done.stderr
    return shlex.split(done.stdout)


@pytest.fixture(scope="module")
def returning(joining: list[str]) -> list[str]:
    """The same command without the token, for later starts."""
    at = joining.index("--token")
    return joining[:at] + joining[at + 2 :]


def test_the_certificate_is_for_the_bound_address_and_the_advertised_name(vault: Stronghold) -> None:
    pem = (vault.state / "apiserver" / "pki" / "server.crt").read_bytes()
    extension = x509.load_pem_x509_certificate(pem).extensions
    names = extension.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "vault.example" in names.get_values_for_type(x509.DNSName)
    assert "127.0.0.2" in [str(one) for one in names.get_values_for_type(x509.IPAddress)]


def test_the_printed_command_joins_and_both_hosts_are_ready(
    vault: Stronghold, second: SecondHost, joining: list[str]
) -> None:
    with second.running(joining):
        vault.when("dockerhost", "web-2", "Ready")
        shown = vault.kubectl("get", "dh").stdout.splitlines()
        assert [line.split()[:2] for line in shown[1:]] == [["local", "True"], ["web-2", "True"]]
        token = joining[joining.index("--token") + 1]
        assert second.process is not None
        eventually(
            "the token is out of the process list",
            lambda: token not in psutil.Process(second.process.pid).cmdline(),
        )
        assert token not in second.log


def test_a_policy_of_the_second_host_runs_there_after_a_start_without_token(
    vault: Stronghold, second: SecondHost, returning: list[str], shop: Shop, tmp_path: Path
) -> None:
    with second.running(returning):
        vault.apply(
            store(tmp_path),
            secret("shop-db", password=shop.password),
            policy("shop", shop.source(), host="web-2"),
            run("shop-there", "shop"),
        )
        finished = vault.finished_run("shop-there")
        assert finished["status"]["phase"] == "Succeeded", finished["status"]
    assert "shop-there" in second.log
    assert list(tmp_path.rglob("*.dump.zst"))


def test_a_revoked_host_says_so_and_a_new_token_lets_it_in_again(
    vault: Stronghold, second: SecondHost, returning: list[str]
) -> None:
    with second.running(returning):
        vault.when("dockerhost", "web-2", "Ready")
        vault.kubectl("delete", "serviceaccount", "strongroom-agent-web-2")
        second.waits_for("refuses this host's credential: it was revoked")
        assert "strongroom token HOST" in second.log
    again = shlex.split(vault.strongroom("token", "web-2").stdout)
    before = len(second.log)
    with second.running(again):
        eventually("it is the host again", lambda: "this agent is DockerHost" in second.log[before:])


def test_a_token_of_kubectl_is_one_of_the_host(vault: Stronghold) -> None:
    token = vault.kubectl("create", "token", "strongroom-agent-web-2").stdout.strip()
    may = ("auth", "can-i", f"--token={token}")
    assert vault.kubectl(*may, "get", "secrets/any").stdout.strip() == "yes"
    assert vault.kubectl(*may, "list", "secrets", check=False).stdout.strip() == "no"
    assert vault.kubectl(*may, "patch", "dockerhosts/local", check=False).stdout.strip() == "no"
    assert "Role/strongroom-agent-web-2" in vault.kubectl("get", "rolebindings").stdout
