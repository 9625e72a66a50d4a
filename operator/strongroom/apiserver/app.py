"""The ASGI application: authenticate, find what the path means, authorize, answer; every failure becomes a Status."""

import logging
from dataclasses import replace
from functools import partial
from typing import Protocol

from starlette.datastructures import Headers, QueryParams

from strongroom.apiserver.cluster import Cluster
from strongroom.apiserver.discovery.paths import Pages
from strongroom.apiserver.handlers.calls import Call
from strongroom.apiserver.handlers.dispatch import dispatch, verb_of
from strongroom.apiserver.handlers.watches import WatchStream
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.requests import Receive, Request, Scope, Send, User, read_body
from strongroom.apiserver.http.responses import Response, build_response
from strongroom.apiserver.http.statuses import StatusError
from strongroom.apiserver.http.targets import parse_target
from strongroom.apiserver.storage.errors import StorageFailedError

logger = logging.getLogger(__name__)


class Gate(Protocol):
    """Who may come in, and what they may do."""

    def authenticate(self, headers: Headers) -> User:
        """The user of a request. Raises 401."""

    def authorize(self, user: User, verb: str, call: Call) -> None:
        """Raise 403 unless the user may do this."""


class Application:
    """One control plane over ASGI."""

    def __init__(self, cluster: Cluster, gate: Gate, authority: bytes) -> None:
        """Pages that do not depend on objects are made once. `authority` is the CA's certificate (PEM)."""
        self._cluster = cluster
        self._gate = gate
        self._pages = Pages(cluster.catalogue, authority)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; websockets and lifespans are not ours."""
        if scope["type"] != "http":
            return
        try:
            response = await self._answer(scope, receive)
        except StatusError as error:
            response = build_response(error.to_object(), error.code)
            response.headers |= error.headers
        except StorageFailedError as error:
            logger.error("The store refused a write: %s", error)  # noqa: TRY400 - the disk's word, not our code's
            response = build_response(statuses.internal_error(f"storage: {error}").to_object(), 500)
        except ConnectionResetError:
            return
        except Exception:
            # The one place where a fault of this server may end: it is logged whole and answered as Kubernetes would.
            logger.exception("Failed to answer %s %s", scope["method"], scope["path"])
            response = build_response(statuses.internal_error("see the server's log").to_object(), 500)
        await response.send(send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response | WatchStream:
        headers = Headers(scope=scope)
        path = scope["path"]
        if page := self._pages.find_open(path):
            return page
        user = self._gate.authenticate(headers)
        query = QueryParams(scope["query_string"])
        request = Request(scope["method"], path, query, headers, await read_body(headers, receive), user)
        if page := self._pages.find(request):
            return page
        target = parse_target(path)
        if target is None:
            raise statuses.no_such_resource()
        resource = self._cluster.catalogue.find(target.group, target.version, target.plural)
        if resource is None:
            raise statuses.no_such_resource()
        call = Call(self._cluster, request, target, resource)
        verb = verb_of(request, target)
        self._gate.authorize(user, verb, call)
        return await dispatch(
            replace(call, is_allowed=partial(self._is_allowed, headers, verb, call)), receive
        )

    def _is_allowed(self, headers: Headers, verb: str, call: Call) -> bool:
        try:
            self._gate.authorize(self._gate.authenticate(headers), verb, call)
        except StatusError:
            return False
        return True
