"""The client: plain dicts in, plain dicts out, our errors, a timeout on every call, and no retry of its own."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration

from strongroom.kube import streams
from strongroom.kube.errors import AlreadyExists, Conflict, NotFound, Unavailable, error_from_body
from strongroom.kube.kinds import ApiKind

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


class KubeClient:
    """One API server. Every method raises the errors of `kube.errors`."""

    def __init__(self, api: ApiClient, *, component: str) -> None:
        """`component` is the name that Events and the user agent carry."""
        self._api = api
        self.component = component
        self.unauthorized = asyncio.Event()
        """Set while the server does not know our login any more (401)."""

    @property
    def configuration(self) -> Configuration:
        """Where the server is and who we are, as the client library holds it."""
        configuration: Configuration = self._api.configuration
        return configuration

    def use_token(self, token: str) -> None:
        """Log in with this bearer token from the next request on."""
        self.configuration.api_key["BearerToken"] = f"Bearer {token}"
        self.unauthorized.clear()

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
        """All objects that match, of one namespace or of all, in pages; raises Gone if they changed too long."""
        query = _selectors(labels, fields) | {"limit": str(PAGE_SIZE)}
        items: list[Object] = []
        while True:
            page = await self._call(_Request("GET", kind.path(namespace), query))
            # A server leaves kind and apiVersion out of a list's items.
            items += [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page["items"]]
            if not (more := page["metadata"].get("continue")):
                return Listing(items, str(page["metadata"]["resourceVersion"]))
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

    async def _call(self, request: "_Request") -> Object:
        response = await self._send(request, aiohttp.ClientTimeout(total=CALL_SECONDS))
        async with response:
            try:
                answer: Object = json.loads(await response.read())
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                raise Unavailable(0, "", f"{request}: the answer broke off: {error!r}") from error
            return answer

    async def _send(self, request: "_Request", limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
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
            if response.status == 401:
                self.unauthorized.set()
            if response.status < 300:
                self.unauthorized.clear()
                return response
            async with response:
                raise error_from_body(response.status, await response.content.read(65536))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(
                0, "", f"{request}: the API server cannot be reached: {str(error) or type(error).__name__}"
            ) from error


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Object | None = None
    content_type: str = "application/json"

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
