"""The application: uploads go to the media folder and, as rows, to the database. The paths are a Django project's."""

import json
import os
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from socketserver import ThreadingMixIn
from typing import BinaryIO
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import psycopg2
import psycopg2.extensions

MEDIA = Path(os.environ.get("MEDIA_ROOT", "/srv/media"))
_BLOCK = 1 << 20
Answer = tuple[str, object]


def application(environ: dict, start_response: Callable) -> Iterable[bytes]:
    """WSGI: every answer is JSON."""
    status, content = _route(environ)
    body = (json.dumps(content) + "\n").encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _route(environ: dict) -> Answer:
    routes = {("GET", "/health/"): _health, ("GET", "/media/"): _listing, ("POST", "/upload"): _upload}
    handler = routes.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
    try:
        return handler(environ) if handler else ("404 Not Found", {"error": "no such page"})
    except psycopg2.Error as error:
        return "503 Service Unavailable", {"error": str(error).strip()}


def _health(_environ: dict) -> Answer:
    """200 only while the database answers."""
    with _database() as database, database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM shop_order")
        return "200 OK", {"status": "ok", "orders": cursor.fetchone()[0]}


def _listing(_environ: dict) -> Answer:
    files = sorted(path.relative_to(MEDIA).as_posix() for path in MEDIA.rglob("*") if path.is_file())
    return "200 OK", {"files": files}


def _upload(environ: dict) -> Answer:
    """POST /upload?name=FILE with the content as body."""
    name = PurePosixPath(parse_qs(environ.get("QUERY_STRING", "")).get("name", [""])[0]).name
    if not name:
        return "400 Bad Request", {"error": "upload?name=FILE is needed"}
    stored = f"uploads/{secrets.token_hex(8)}-{name}"
    size_bytes = _store(environ["wsgi.input"], int(environ.get("CONTENT_LENGTH") or 0), MEDIA / stored)
    with _database() as database, database.cursor() as cursor:
        cursor.execute("INSERT INTO shop_upload (path, size_bytes) VALUES (%s, %s)", (stored, size_bytes))
    return "201 Created", {"path": stored, "size_bytes": size_bytes}


def _store(body: BinaryIO, length: int, target: Path) -> int:
    """Under its name only when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}")
    with unfinished.open("wb") as output:
        while length > 0 and (block := body.read(min(length, _BLOCK))):
            output.write(block)
            length -= len(block)
    unfinished.rename(target)
    return target.stat().st_size


def _database() -> psycopg2.extensions.connection:
    """A connection from libpq's own environment (PGHOST, PGUSER, …), committed at the end of its `with`."""
    return psycopg2.connect(connect_timeout=3)


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    def log_request(self, *_arguments: object) -> None:
        """The access log is nginx's."""


if __name__ == "__main__":
    with make_server("", 8000, application, Server, QuietHandler) as server:
        with suppress(KeyboardInterrupt):  # the image's stop signal
            server.serve_forever()
