"""The client: plain dicts in, plain dicts out, our errors, a timeout on every call, and no retry of its own."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration

from strongroom.kube import streams
from strongroom.kube.errors import AlreadyExists, ApiError, Conflict, NotFound, Unavailable, error_from_body
from strongroom.kube.kinds import PODS, ApiKind
from strongroom.kube.pacing import Pace
from strongroom.kube.permissions import Permission, find_permission

Object = dict[str, Any]
Selector = Mapping[str, str]

MERGE_PATCH = "application/merge-patch+json"
CALL_SECONDS = 30
PAGE_SIZE = 500
WATCH_SECONDS = 300
"""The server is asked to end a watch after this time; the caller starts the next one."""
SILENCE_SECONDS = 75
"""A watch without event or bookmark (due every 60 s) for this long is dead: the peer may be gone without a word."""


@dataclass(frozen=True)
class Listing:
    """The objects of one moment, and the resourceVersion to watch from."""

    items: list[Object]
    resource_version: str


@dataclass(frozen=True)
class Answer:
    """What is measured of each answer."""

    verb: str
    status: int
    """0: none came."""
    date: str | None = None
    """The server's time, as it says it (RFC 9110)."""


@dataclass(frozen=True)
class Page:
    """A part of a listing; all pages are of one moment."""

    items: list[Object]
    resource_version: str


class KubeClient:
    """One API server. Every method raises the errors of `kube.errors`."""

    def __init__(self, api: ApiClient, *, component: str) -> None:
        """`component` is the name that Events and the user agent carry."""
        self._api = api
        self.component = component
        self.unauthorized = asyncio.Event()
        """Set while the server does not know our login any more (401)."""
        self.pace: Pace | None = None
        """How fast this client may ask; None: as it likes."""
        self.on_answer: Callable[[Answer], None] | None = None
        """Told of every answer."""

    def unpaced(self) -> "KubeClient":
        """The same client without a pace: for what must not wait, such as the renewal of a Lease."""
        other = KubeClient(self._api, component=self.component)
        other.on_answer = self.on_answer
        return other

    @property
    def configuration(self) -> Configuration:
        """Where the server is and who we are, as the client library holds it."""
        configuration: Configuration = self._api.configuration
        return configuration

    def use_token(self, token: str) -> None:
        """Log in with this bearer token from the next request on."""
        self.configuration.api_key["BearerToken"] = f"Bearer {token}"
        self.unauthorized.clear()

    async def fetch(self, path: str) -> Object:
        """A document that is no object, such as /openapi/v3; raises NotFound where the server has none."""
        return await self._call(_Request("GET", path))

    async def get(self, kind: ApiKind, namespace: str | None, name: str) -> Object | None:
        """The object, or None when there is none of that name."""
        try:
            return await self._call(_Request("GET", kind.path(namespace, name)))
        except NotFound:
            return None

    async def list(
        self,
        kind: ApiKind,
        namespace: str | None = None,
        *,
        labels: Selector | None = None,
        fields: Selector | None = None,
    ) -> Listing:
        """All objects that match, of one namespace or of all; raises Gone if they changed too long."""
        items: list[Object] = []
        version = ""
        async for page in self.pages(kind, namespace, labels=labels, fields=fields):
            items += page.items
            version = page.resource_version
        return Listing(items, version)

    async def pages(
        self,
        kind: ApiKind,
        namespace: str | None = None,
        *,
        labels: Selector | None = None,
        fields: Selector | None = None,
    ) -> AsyncGenerator[Page]:
        """The same in parts, at least one, so that thousands of objects are never in memory at once."""
        query = _selectors(labels, fields) | {"limit": str(PAGE_SIZE)}
        while True:
            page = await self._call(_Request("GET", kind.path(namespace), query))
            # A server leaves kind and apiVersion out of a list's items.
            items = [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page["items"]]
            yield Page(items, str(page["metadata"]["resourceVersion"]))
            if not (more := page["metadata"].get("continue")):
                return
            query = query | {"continue": more}

    async def create(self, kind: ApiKind, namespace: str | None, body: Object) -> Object:
        """Create; raises AlreadyExists."""
        return await self._call(_Request("POST", kind.path(namespace), body=_typed(kind, body)))

    async def create_at(
        self, kind: ApiKind, namespace: str | None, name: str, subresource: str, body: Object
    ) -> Object:
        """Create at a subresource of an object: a question about it, answered by what comes back."""
        return await self._call(_Request("POST", kind.path(namespace, name, subresource), body=body))

    async def ensure(self, kind: ApiKind, namespace: str | None, body: Object) -> Object:
        """Create, or get the one that exists. Raises Conflict if that one has another controller than `body`.

        Idempotent. An existing object is not changed, and may be on its way out (deletionTimestamp).
        """
        name = body["metadata"]["name"]
        for _ in range(3):
            try:
                return await self.create(kind, namespace, body)
            except AlreadyExists:
                found = await self.get(kind, namespace, name)
            if found is not None:
                return _adopted(kind, found, body)
        raise Unavailable(0, "", f"{kind.resource} {name} is created and deleted by others all the time")

    async def patch(
        self, kind: ApiKind, namespace: str | None, name: str, body: Object, *, subresource: str | None = None
    ) -> Object:
        """Merge patch (RFC 7386). With metadata.resourceVersion in it, raises Conflict if the object has changed."""
        path = kind.path(namespace, name, subresource)
        return await self._call(_Request("PATCH", path, body=body, content_type=MERGE_PATCH))

    async def delete(
        self,
        kind: ApiKind,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        propagation: str = "Background",
    ) -> None:
        """Delete. One that is missing, or of another uid than the given one, is deleted already."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            await self._call(_Request("DELETE", kind.path(namespace, name), body=options))
        except NotFound:
            return
        except Conflict:
            if uid is None:
                raise

    async def watch(
        self,
        kind: ApiKind,
        namespace: str | None = None,
        *,
        labels: Selector | None = None,
        resource_version: str,
    ) -> AsyncGenerator[tuple[str, Object]]:
        """Changes after `resource_version` as (ADDED | MODIFIED | DELETED | BOOKMARK, object), until the stream ends.

        Ends quietly when the server ends it (after some minutes, always). Raises Gone when the version is too old.
        """
        query = _selectors(labels, None) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        limits = aiohttp.ClientTimeout(
            total=WATCH_SECONDS + SILENCE_SECONDS, sock_connect=CALL_SECONDS, sock_read=SILENCE_SECONDS
        )
        response = await self._send(_Request("GET", kind.path(namespace), query), limits)
        try:
            async for event in streams.events(response.content):
                yield event
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(
                0, "", f"the watch of {kind.resource} broke: {str(error) or type(error).__name__}"
            ) from error
        finally:
            response.close()

    async def read_log(self, namespace: str, pod: str, *, lines: int, limit: int) -> str:
        """The last lines of a pod's log, at most `limit` bytes of them. Raises NotFound without such a pod or container."""
        query = {"tailLines": str(lines), "limitBytes": str(limit)}
        path = PODS.path(namespace, pod, "log")
        response = await self._send(_Request("GET", path, query), aiohttp.ClientTimeout(total=CALL_SECONDS))
        async with response:
            try:
                return (await response.read()).decode(errors="replace")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise Unavailable(0, "", f"the log of pod {pod} broke off: {error!r}") from error

    async def serves(self, kind: ApiKind) -> bool:
        """Whether the API server has this kind at all."""
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        try:
            found = await self._call(_Request("GET", root))
        except NotFound:
            return False
        return any(each.get("name") == kind.plural for each in found.get("resources") or [])

    async def _call(self, request: "_Request") -> Object:
        response = await self._send(request, aiohttp.ClientTimeout(total=CALL_SECONDS))
        async with response:
            try:
                answer: Object = json.loads(await response.read())
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                raise Unavailable(0, "", f"{request}: the answer broke off: {error!r}") from error
            return answer

    async def _send(self, request: "_Request", limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        if self.pace is not None:
            await self.pace.turn()
        try:
            return await self._ask(request, limits)
        except ApiError as error:
            error.permission = request.permission
            if self.pace is not None and error.status in {429, 503} and error.retry_after_seconds:
                self.pace.hold(error.retry_after_seconds)
            raise

    async def _ask(self, request: "_Request", limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        try:
            _, url, headers, body, _ = await self._api.param_serialize(
                request.method,
                request.path,
                query_params=list(request.query.items()),
                header_params={"Accept": "application/json", "Content-Type": request.content_type},
                body=request.body,
                auth_settings=["BearerToken"],
            )
            wrapped = await self._api.call_api(request.method, url, headers, body, _request_timeout=limits)
            response: aiohttp.ClientResponse = wrapped.response
            self._tell(request, response.status, response.headers.get("Date"))
            if response.status == 401:
                self.unauthorized.set()
            if response.status < 300:
                self.unauthorized.clear()
                return response
            async with response:
                raise error_from_body(response.status, await response.content.read(65536), response.headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._tell(request, 0)
            raise Unavailable(
                0, "", f"{request}: the API server cannot be reached: {str(error) or type(error).__name__}"
            ) from error

    def _tell(self, request: "_Request", status: int, date: str | None = None) -> None:
        if self.on_answer is not None:
            verb = request.permission.verb if request.permission is not None else request.method.lower()
            self.on_answer(Answer(verb, status, date))


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Object | None = None
    content_type: str = "application/json"

    @property
    def permission(self) -> Permission | None:
        """What it needs to be allowed."""
        return find_permission(self.method, self.path, self.query)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _selectors(labels: Selector | None, fields: Selector | None) -> dict[str, str]:
    chosen = {"labelSelector": labels, "fieldSelector": fields}
    return {name: ",".join(f"{k}={v}" for k, v in by.items()) for name, by in chosen.items() if by}


def _typed(kind: ApiKind, body: Object) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.kind, **body}


def _adopted(kind: ApiKind, found: Object, wanted: Object) -> Object:
    if _controller_uid(found) != _controller_uid(wanted):
        meta = found["metadata"]
        raise Conflict(
            409, "Conflict", f"{kind.resource} {meta['name']} exists and belongs to another controller"
        )
    return found


def _controller_uid(body: Object) -> str | None:
    owners = body["metadata"].get("ownerReferences") or []
    return next((str(owner["uid"]) for owner in owners if owner.get("controller")), None)
