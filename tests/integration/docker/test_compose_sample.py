"""The sample stack works as its page says, on images that need no registry."""

import json
import ssl
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest
from tests.docker.compose import SERVICES, ComposeStack


def _get(url: str, data: "bytes | None" = None, context: "ssl.SSLContext | None" = None) -> bytes:
    with urllib.request.urlopen(url, data=data, timeout=30, context=context) as answer:
        return answer.read()


def test_the_application_is_healthy_behind_nginx(compose_stack: ComposeStack) -> None:
    assert json.loads(_get(f"{compose_stack.url}/health/"))["status"] == "ok"
    trusted = ssl.create_default_context(cafile=compose_stack.folder / "nginx/certificates/shop.crt")
    secure = f"https://localhost:{compose_stack.https_port}/health/"
    assert json.loads(_get(secure, context=trusted))["status"] == "ok"


def test_an_upload_is_a_file_in_the_volume_and_a_row_in_the_database(compose_stack: ComposeStack) -> None:
    stored = json.loads(_get(f"{compose_stack.url}/upload?name=note.txt", data=b"remember the milk"))
    assert (compose_stack.volume("media") / stored["path"]).read_bytes() == b"remember the milk"
    assert _get(f"{compose_stack.url}/media/{stored['path']}") == b"remember the milk"
    assert stored["path"] in json.loads(_get(f"{compose_stack.url}/media/"))["files"]
    query = ["psql", "--username=shop", "--dbname=shop", "-Atc", "SELECT path, size_bytes FROM shop_upload"]
    rows = compose_stack.compose("exec", "-T", "postgresql", *query)
    assert rows == f"{stored['path']}|17"


def test_the_seed_fills_database_and_media(compose_stack: ComposeStack) -> None:
    compose_stack.seed(orders=500, files=12)
    assert json.loads(_get(f"{compose_stack.url}/health/"))["orders"] == 500
    assert (compose_stack.volume("media") / "links/symbolic").readlink() == Path("../uploads/empty.dat")
    assert len(json.loads(_get(f"{compose_stack.url}/media/"))["files"]) >= 12 * 3


def test_the_application_is_not_healthy_while_the_database_is_stopped(compose_stack: ComposeStack) -> None:
    compose_stack.compose("stop", "postgresql")
    with pytest.raises(HTTPError, match="503"):
        _get(f"{compose_stack.url}/health/")
    compose_stack.compose("start", "postgresql")
    compose_stack.engine.wait_healthy(compose_stack.container("postgresql"))
    assert json.loads(_get(f"{compose_stack.url}/health/"))["status"] == "ok"


def test_an_engine_that_restarts_starts_the_services_again(compose_stack: ComposeStack) -> None:
    compose_stack.engine.restart()
    for service in ("postgresql", "django-app"):
        compose_stack.engine.wait_healthy(compose_stack.container(service))
    running = compose_stack.compose("ps", "--services", "--filter", "status=running")
    assert set(running.split()) == set(SERVICES)
    assert json.loads(_get(f"{compose_stack.url}/health/"))["status"] == "ok"
