"""Aggregated discovery (apidiscovery.k8s.io v2 and v2beta1): everything in two requests."""

from typing import Any

from strongroom.apiserver.catalogue import Catalogue
from strongroom.apiserver.discovery.groups import SUBRESOURCE_VERBS
from strongroom.apiserver.http.negotiation import parse_media_types
from strongroom.apiserver.resources import Resource

GROUP = "apidiscovery.k8s.io"
KIND = "APIGroupDiscoveryList"


def wanted_version(accept: str) -> str:
    """v2 or v2beta1 when the client prefers aggregated discovery, else empty."""
    for media_type, parameters in parse_media_types(accept):
        if media_type != "application/json":
            continue
        if parameters.get("as") == KIND and parameters.get("g") == GROUP:
            if parameters.get("v") in ("v2", "v2beta1"):
                return parameters["v"]
        elif "as" not in parameters:
            return ""
    return ""


def media_type(version: str) -> str:
    """How the answer names itself; clients look at it to know which form they got."""
    return f"application/json;g={GROUP};v={version};as={KIND}"


def build_discovery(catalogue: Catalogue, version: str, *, core: bool) -> dict[str, Any]:
    """The list for /api (`core`) or /apis."""
    items = [
        {
            "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
            "versions": [_version(catalogue, group, one) for one in versions],
        }
        for group, versions in catalogue.groups().items()
        if (group == "") == core
    ]
    return {"kind": KIND, "apiVersion": f"{GROUP}/{version}", "metadata": {}, "items": items}


def _version(catalogue: Catalogue, group: str, version: str) -> dict[str, Any]:
    resources = [_resource(resource) for resource in catalogue.of_version(group, version)]
    return {"version": version, "resources": resources, "freshness": "Current"}


def _resource(resource: Resource) -> dict[str, Any]:
    kind = _kind(resource)
    entry: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.name_of_one,
        "verbs": sorted(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    subresources = [
        {"subresource": name, "responseKind": kind, "verbs": SUBRESOURCE_VERBS}
        for name in resource.subresources
    ]
    subresources += [
        {"subresource": name, "responseKind": _kind(asked), "verbs": sorted(asked.verbs)}
        for name, asked in resource.questions.items()
    ]
    if subresources:
        entry["subresources"] = subresources
    return entry


def _kind(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}
