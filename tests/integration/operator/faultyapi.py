"""A proxy between an operator and its API server that does to requests what the test says; it counts them all."""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from strongroom.api.labels import WORK_ORDER_ANNOTATION

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-encoding", "content-length", "host"}


@dataclass(frozen=True)
class Fault:
    """What is answered instead; status 0 ends the connection without a word."""

    status: int
    reason: str = ""
    retry_after: int | None = None
    causes: tuple[str, ...] = ()

    def answer(self) -> web.Response:
        details = {"causes": [{"reason": cause} for cause in self.causes]}
        body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "code": self.status,
        }
        body |= {"reason": self.reason, "message": f"the test says {self.status}", "details": details}
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return web.json_response(body, status=self.status, headers=headers)


@dataclass(frozen=True)
class Asked:
    """One request."""

    moment: float
    method: str
    path: str
    is_watch: bool
    name: str = ""
    """Of what shall be created."""


Decide = Callable[[Asked], Fault | None]


class FaultyApi:
    """Passes everything on as it is, until the test sets one of these."""

    def __init__(self, kubeconfig: Path) -> None:
        self.document = yaml.safe_load(kubeconfig.read_text())
        self.decide: Decide = lambda _asked: None
        self.slow_seconds = 0.0
        self.date_shift = timedelta(0)
        self.ends_watches = False
        """End each watch as soon as it has begun, as a bad load balancer does."""
        self.gate = asyncio.Event()
        """While it is not set, what shall be created waits."""
        self.gate.set()
        self.asked: list[Asked] = []
        self._streams: set[asyncio.Transport] = set()

    @asynccontextmanager
    async def serving(self, folder: Path):
        """Serve, with a kubeconfig of that name in the folder."""
        self._upstream = self.document["clusters"][0]["cluster"]["server"]
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._trust(folder)), auto_decompress=False
        ) as self._session:
            application = web.Application(client_max_size=2**24)
            application.router.add_route("*", "/{path:.*}", self._pass_on)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            self.kubeconfig = self._write(folder, port)
            try:
                yield self
            finally:
                await runner.cleanup()

    def go_away(self) -> None:
        """Answer nobody any more, and end what is open."""
        self.decide = lambda _asked: Fault(0)
        for transport in self._streams:
            transport.abort()

    def come_back(self) -> None:
        """Pass everything on again."""
        self.decide = lambda _asked: None

    def since(self, moment: float, method: str = "", path: str = "") -> list[Asked]:
        """Requests since then."""
        return [
            each
            for each in self.asked
            if each.moment >= moment and method in ("", each.method) and path in each.path
        ]

    def _trust(self, folder: Path) -> ssl.SSLContext:
        authority = base64.b64decode(self.document["clusters"][0]["cluster"]["certificate-authority-data"])
        return ssl.create_default_context(cadata=authority.decode())

    def _write(self, folder: Path, port: int) -> Path:
        self.document["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{port}"}
        path = folder / "faulty.kubeconfig"
        path.write_text(yaml.safe_dump(self.document))
        return path

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        name = (await request.json())["metadata"].get("name", "") if request.method == "POST" else ""
        is_watch = request.query.get("watch") == "true"
        asked = Asked(time.monotonic(), request.method, request.path, is_watch, name)
        self.asked.append(asked)
        await asyncio.sleep(self.slow_seconds)
        if request.method == "POST":
            await self.gate.wait()
        fault = self.decide(asked)
        if fault is not None:
            if fault.status == 0:
                assert request.transport is not None
                request.transport.abort()
            return fault.answer() if fault.status else web.Response()
        return await self._forward(request, asked)

    async def _forward(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        async with self._session.request(
            request.method,
            f"{self._upstream}{request.rel_url}",
            data=await request.read(),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP | {"date"}}
            kept["Date"] = format_datetime(datetime.now(UTC) + self.date_shift, usegmt=True)
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            if asked.is_watch and self.ends_watches:
                return response
            assert request.transport is not None
            self._streams.add(request.transport)
            try:
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            except ConnectionError:
                pass  # the operator has gone, or the test has cut it off
            finally:
                self._streams.discard(request.transport)
            return response


def order_of(job: dict[str, Any]) -> dict[str, Any]:
    """The work order in a Job."""
    order: dict[str, Any] = json.loads(
        job["spec"]["template"]["metadata"]["annotations"][WORK_ORDER_ANNOTATION]
    )
    return order
