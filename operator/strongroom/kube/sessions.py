"""The HTTP session that another library watches by: it asks again by itself, at a bounded rate, and tells what is in its way.

A library that gives up after some errors, or that asks again at once, does neither on it.
"""

import asyncio
import ssl
import time
from collections.abc import Callable

import aiohttp

from strongroom.kube.connection import Login
from strongroom.kube.errors import ApiError, Unavailable, error_from_body
from strongroom.kube.following import LONGEST_ASKED_SECONDS, pause_seconds
from strongroom.kube.permissions import Permission, find_permission

ANSWER_SECONDS = 60.0
"""For the head of an answer."""
SHORTEST_ROUND_SECONDS = 1.0
"""Between the beginnings of two watches of the same: a server that ends each at once must not be hammered."""
_TO_THE_LIBRARY = frozenset({401, 410})
"""It logs in again, or lists again."""
Hear = Callable[[Permission, ApiError | None], None]
"""Told when a list or watch fails, and when it works again."""


def build_session(login: Login, user_agent: str, hear: Hear) -> aiohttp.ClientSession:
    """A session with that login. It belongs to the event loop in which it is made."""
    headers = {"User-Agent": user_agent}
    if login.token:
        headers["Authorization"] = f"Bearer {login.token}"
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=_build_context(login)),
        headers=headers,
        middlewares=(Persistence(hear),),
    )


def _build_context(login: Login) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=login.ca_path)
    if login.certificate_path:
        context.load_cert_chain(login.certificate_path, login.private_key_path)
    if not login.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Persistence:
    """The middleware: one request of the library may be many of ours."""

    def __init__(self, hear: Hear) -> None:
        """`hear` is called in the session's event loop."""
        self._hear = hear
        self._failures: dict[Permission, int] = {}
        self._began: dict[Permission, float] = {}

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Ask until there is an answer that the library can use. Cancelled when the library waits no longer."""
        permission = find_permission(request.method, request.url.path, request.url.query)
        failures = 0
        while True:
            await self._take_turn(permission)
            if request.session.closed:
                # By a login that was refused elsewhere. The library logs in again on this very class of error, and on no other.
                raise RuntimeError("Session is closed")
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    response = await handler(request)
            except (aiohttp.ClientError, TimeoutError, OSError) as cause:
                words = str(cause) or type(cause).__name__
                error: ApiError = Unavailable(0, "", f"the API server cannot be reached: {words}")
            else:
                if _is_useful(response.status, permission):
                    self._note(permission, None)
                    return response
                error = await _read_error(response)
            error.permission = permission
            failures = self._note(permission, error) or failures + 1
            await asyncio.sleep(
                max(pause_seconds(failures), min(error.retry_after_seconds or 0.0, LONGEST_ASKED_SECONDS))
            )

    async def _take_turn(self, permission: Permission | None) -> None:
        if permission is None or permission.verb != "watch":
            return
        due = self._began.get(permission, float("-inf")) + SHORTEST_ROUND_SECONDS
        self._began[permission] = max(due, time.monotonic())
        if (pause := due - time.monotonic()) > 0:
            await asyncio.sleep(pause)

    def _note(self, permission: Permission | None, error: ApiError | None) -> int:
        """Tell of what changed; how often this has failed in a row, also for requests that the library gave up."""
        if permission is None:
            return 0
        if error is not None:
            self._failures[permission] = self._failures.get(permission, 0) + 1
            self._hear(permission, error)
        elif self._failures.pop(permission, 0):
            self._hear(permission, None)
        return self._failures.get(permission, 0)


def _is_useful(status: int, permission: Permission | None) -> bool:
    if status < 400 or status in _TO_THE_LIBRARY:
        return True
    return permission is None and status < 500 and status != 429


async def _read_error(response: aiohttp.ClientResponse) -> ApiError:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            body = await response.content.read(65536)
    except (aiohttp.ClientError, TimeoutError, OSError):
        body = b""
    response.close()
    return error_from_body(response.status, body, response.headers)
