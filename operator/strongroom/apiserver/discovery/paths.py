"""The pages by their paths; a trailing slash makes no difference."""

from collections.abc import Callable
from typing import Any

from strongroom.apiserver.catalogue import Catalogue
from strongroom.apiserver.discovery import aggregated, groups, openapi
from strongroom.apiserver.discovery.openapi2 import build_openapi2
from strongroom.apiserver.discovery.versions import build_version
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.requests import Request
from strongroom.apiserver.http.responses import Response, build_response

_HEALTH = ("/healthz", "/livez", "/readyz")
_AUTHORITY = "/cacerts"
"""As k3s serves it."""


class Pages:
    """Answers what only the catalogue decides; documents are made once per edition of it."""

    def __init__(self, catalogue: Catalogue, authority: bytes) -> None:
        """Begin without documents. `authority` is the CA's certificate (PEM)."""
        self._catalogue = catalogue
        self._authority = authority
        self._edition = -1
        self._openapi: dict[str, bytes] = {}
        self._pages: dict[str, Callable[[], Any]] = {}

    def _refresh(self) -> None:
        if self._edition == self._catalogue.edition:
            return
        self._edition = self._catalogue.edition
        self._openapi = openapi.build_documents(self._catalogue)
        self._pages = {
            "/version": build_version,
            "/openapi/v3": lambda: openapi.build_index(self._openapi),
            "/": lambda: {"paths": sorted(["/api", "/apis", *_HEALTH, *self._pages])},
        }
        for group, versions in self._catalogue.groups().items():
            if group:
                self._pages[f"/apis/{group}"] = _caller(groups.build_group, group, versions)
            for version in versions:
                path = f"/apis/{group}/{version}" if group else f"/api/{version}"
                build = _caller(groups.build_resource_list, self._catalogue, group, version)
                self._pages[path] = build

    def find_open(self, path: str) -> Response | None:
        """Pages for everybody: health, for probes without a token, and the CA, for machines that know its fingerprint."""
        if path.rstrip("/") in _HEALTH:
            return Response(b"ok", media_type="text/plain; charset=utf-8")
        if path == _AUTHORITY:
            return Response(self._authority, media_type="text/plain; charset=utf-8")
        return None

    def find(self, request: Request) -> Response | None:
        """The page under a path, or None. Raises 405 for writes to a page, 404 for an unknown group version's document."""
        self._refresh()
        path = request.path.rstrip("/") or "/"
        response = self._find(path, request)
        if response is not None and request.method not in ("GET", "HEAD"):
            raise statuses.method_not_allowed()
        return response

    def _find(self, path: str, request: Request) -> Response | None:
        if path in ("/api", "/apis"):
            return self._roots(path, request)
        if path.startswith("/openapi/v3/"):
            document = self._openapi.get(path.removeprefix("/openapi/v3/"))
            return None if document is None else Response(document)
        if path == "/openapi/v2":
            return build_openapi2(request.headers.get("accept", ""))
        build = self._pages.get(path)
        if build is None:
            return None
        page = build()
        if path.count("/") == 2 and path.startswith("/apis/"):
            page = {"kind": "APIGroup", "apiVersion": "v1", **page}
        return build_response(page)

    def _roots(self, path: str, request: Request) -> Response:
        core = path == "/api"
        if version := aggregated.wanted_version(request.headers.get("accept", "")):
            document = aggregated.build_discovery(self._catalogue, version, core=core)
            response = build_response(document, media_type=aggregated.media_type(version))
        elif core:
            response = build_response(groups.build_core_versions(request.headers.get("host", "")))
        else:
            response = build_response(groups.build_group_list(self._catalogue))
        response.headers["vary"] = "Accept"
        return response


def _caller(build: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: build(*arguments)
