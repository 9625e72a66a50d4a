"""A health check's URL is fetched from here and nowhere else, whatever its name comes to mean."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from strongroom.api.errors import Reason, StrongroomError
from strongroom.worker.restoring import urls
from strongroom.worker.restoring.urls import fetch_url


class _Handler(BaseHTTPRequestHandler):
    hosts: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.hosts.append(self.headers["Host"])
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "http://192.0.2.1/")
        self.end_headers()
        self.wfile.write(b"well")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def serving() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_url_of_this_machine_is_fetched_and_a_redirect_is_not_followed() -> None:
    with serving() as port:
        assert fetch_url(f"http://127.0.0.1:{port}/x?y", (), 5).body == b"well"
        assert fetch_url(f"http://localhost:{port}/away", (), 5).status == 302
    assert f"localhost:{port}" in _Handler.hosts


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://user:pass@127.0.0.1/",
        "http://192.0.2.1/",
        "http://169.254.169.254/latest",
        "http://[2001:db8::1]/",
        "http://0.0.0.0:1/",
        "http://127.0.0.1:0/",
        "http://[::ffff:192.0.2.1]/",
        "http:///x",
    ],
)
def test_what_leads_elsewhere_is_forbidden(url: str) -> None:
    with pytest.raises(StrongroomError) as caught:
        fetch_url(url, ("172.17.0.0/16",), 1)
    assert caught.value.reason is Reason.UrlForbidden


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that means this machine first, and another one the second time."""
    answers = iter([["127.0.0.1"], ["192.0.2.1"]])
    with serving() as port:
        monkeypatch.setattr(urls, "find_addresses", lambda *_: next(answers))
        assert fetch_url(f"http://rebinding.invalid:{port}/", (), 5).status == 200


def test_one_foreign_address_among_several_forbids_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "find_addresses", lambda *_: ["127.0.0.1", "192.0.2.1"])
    with pytest.raises(StrongroomError, match=r"192\.0\.2\.1"):
        fetch_url("http://both.invalid/", (), 5)


def test_an_answer_that_trickles_is_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection:
                while not over.wait(0.05):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            with pytest.raises((OSError, urls.http.client.HTTPException)):
                fetch_url(f"http://127.0.0.1:{listener.getsockname()[1]}/", (), 0.5)
        finally:
            over.set()
            thread.join()
