"""The server's identity is proved when the policy asks for it."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.postgres import Server, running_server
from tests.integration.worker.workshop import Workshop


def certify(folder: Path, name: str, *signing: str) -> None:
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
    ]
    command += ["-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem", *signing]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificates")
    folder = tmp_path_factory.mktemp("certificates")
    certify(folder, "server", "-addext", "subjectAltName=IP:127.0.0.1")
    certify(folder, "stranger")
    return folder


@pytest.fixture(scope="module")
def tls_server(certificates: Path) -> Iterator[Server]:
    with running_server() as server:
        for name, mode in (("server.key", 0o600), ("server.pem", 0o644)):
            target = server.folder / "data" / name
            shutil.copy(certificates / name, target)
            shutil.chown(target, *_owner(server.folder / "data"))
            target.chmod(mode)
        server.execute("ALTER SYSTEM SET ssl_cert_file = 'server.pem'")
        server.execute("ALTER SYSTEM SET ssl = on")
        server.execute("SELECT pg_reload_conf()")
        server.create_database("shop")
        server.execute("CREATE TABLE t AS SELECT 1 AS n", "shop")
        yield server


def _owner(path: Path) -> tuple[str, str]:
    return path.owner(), path.group()


@pytest.fixture
def tls_workshop(tmp_path: Path, tls_server: Server, certificates: Path) -> Workshop:
    workshop = Workshop(tmp_path, tls_server, tls_server.password, "postgres")
    for name in ("server", "stranger"):
        workshop.write_secret("ca", name, (certificates / f"{name}.pem").read_text())
    return workshop


def with_ca(workshop: Workshop, key: str) -> dict[str, object]:
    return workshop.source(tls={"mode": "verify-full", "caSecret": {"name": "ca", "key": key}})


def test_a_server_with_the_right_certificate_is_backed_up(tls_workshop: Workshop) -> None:
    tls_workshop.succeed(tls_workshop.order(source=with_ca(tls_workshop, "server")))


def test_a_server_with_another_certificate_is_refused(tls_workshop: Workshop) -> None:
    finished = tls_workshop.run(tls_workshop.order(source=with_ca(tls_workshop, "stranger")))
    assert finished.result.reason == "TlsFailed"
    assert "certificate verify failed" in finished.result.message
    system = tls_workshop.source(tls={"mode": "verify-full"})
    assert tls_workshop.run(tls_workshop.order(source=system)).result.reason == "TlsFailed"
