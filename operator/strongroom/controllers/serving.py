"""/metrics, /healthz and /readyz, from a thread of their own: they answer even when the event loop hangs, and then say so."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from strongroom.controllers.context import Context
from strongroom.controllers.health import Health
from strongroom.controllers.measures import Measures
from strongroom.controllers.metrics import PolicyCollector
from strongroom.controllers.operatormetrics import OperatorCollector
from strongroom.controllers.settings import OperatorSettings

log = logging.getLogger(__name__)
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class AddressError(Exception):
    """Metrics and liveness cannot be served there: the port is taken, or the address is not this machine's."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the standard library's
        log.debug(format, *args)


@contextmanager
def serve_metrics(context: Context, health: Health) -> Iterator[int]:
    """Serve while the context manager lasts; yields the port. Raises AddressError."""
    settings = context.settings
    measures = context.measures
    measures.registry.register(PolicyCollector(measures, context.observed.tally, context.clock))
    measures.registry.register(OperatorCollector(context, health))
    server = _bind(settings, build_application(measures, health))
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        if settings.metrics_port_file is not None:
            settings.metrics_port_file.write_text(f"{server.server_port}\n")
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _bind(settings: OperatorSettings, application: Wsgi) -> WSGIServer:
    host, port = settings.metrics_host, settings.metrics_port
    try:
        return make_server(host, port, application, _Server, handler_class=_QuietHandler)
    except OSError as error:
        reason = error.strerror or error
        raise AddressError(
            f"metrics cannot be served at {host}:{port}: {reason}. Give another port (--metrics-port)."
        ) from error


def build_application(measures: Measures, health: Health) -> Wsgi:
    """The WSGI application of the three addresses."""
    metrics: Wsgi = make_wsgi_app(measures.registry)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        match environ.get("PATH_INFO"):
            case "/metrics":
                return metrics(environ, start_response)
            case "/healthz":
                return _answer_probe(start_response, *health.look_alive())
            case "/readyz":
                return _answer_probe(start_response, *health.look_ready())
            case _:
                return _answer(start_response, "404 Not Found", "/metrics, /healthz or /readyz\n")

    return application


def _answer_probe(start_response: Callable[..., Any], is_well: bool, text: str) -> list[bytes]:
    return _answer(start_response, "200 OK" if is_well else "503 Service Unavailable", f"{text}\n")


def _answer(start_response: Callable[..., Any], status: str, text: str) -> list[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [text.encode()]
