"""OpenAPI v3, one document per group version: what kubectl validates, explains and diffs with."""

import hashlib
from typing import Any

from strongroom.apiserver.catalogue import Catalogue
from strongroom.apiserver.metaschemas import LIST_META, OBJECT_META
from strongroom.apiserver.resources import Resource
from strongroom.apiserver.storage.records import encode

Document = dict[str, Any]
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_GVK = "x-kubernetes-group-version-kind"
_PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


def _parameter(name: str, type_: str, description: str) -> Document:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": {"type": type_, "uniqueItems": True},
    }


_PRETTY = _parameter("pretty", "string", "If 'true', then the output is pretty printed.")
_WRITING = [
    _parameter(
        "dryRun", "string", "When present, indicates that modifications should not be persisted: All."
    ),
    _parameter("fieldManager", "string", "Name of the actor that makes these changes."),
    _parameter(
        "fieldValidation", "string", "What to do with unknown or duplicate fields: Ignore, Warn or Strict."
    ),
]
_FORCE = _parameter("force", "boolean", "Apply even if other managers own the fields.")
_LISTING = [
    _parameter("allowWatchBookmarks", "boolean", "Send bookmarks on watches."),
    _parameter("continue", "string", "Token of the next page."),
    _parameter("fieldSelector", "string", "Select by fields."),
    _parameter("labelSelector", "string", "Select by labels."),
    _parameter("limit", "integer", "Size of a page."),
    _parameter("resourceVersion", "string", "The moment to show or to watch from."),
    _parameter("resourceVersionMatch", "string", "How resourceVersion is meant."),
    _parameter("sendInitialEvents", "boolean", "Begin a watch with everything that exists."),
    _parameter("timeoutSeconds", "integer", "When to end."),
    _parameter("watch", "boolean", "Watch for changes."),
]


def build_documents(catalogue: Catalogue) -> dict[str, bytes]:
    """Encoded documents by their path below /openapi/v3/, such as `apis/demo.dev/v1`."""
    documents = {}
    for group, versions in catalogue.groups().items():
        for version in versions:
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            documents[path] = encode(build_document(path, catalogue.of_version(group, version)))
    return documents


def build_index(documents: dict[str, bytes]) -> Document:
    """/openapi/v3: each document under a URL that changes with its content, so that clients may cache it."""
    paths = {}
    for path, body in documents.items():
        digest = hashlib.sha512(body).hexdigest().upper()
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


def build_document(path: str, resources: list[Resource]) -> Document:
    """The document of one group version."""
    schemas: Document = {f"{META}ObjectMeta": OBJECT_META, f"{META}ListMeta": LIST_META}
    paths: Document = {}
    for resource in resources:
        for shown in (resource, *resource.questions.values()):
            schemas |= _schemas(shown)
        paths |= _paths(path, resource)
    info = {"title": "Kubernetes", "version": "unversioned"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def schema_name(resource: Resource) -> str:
    """`dev.demo.v1.Widget`; the core group is `io.k8s.api.core`."""
    group = (
        ".".join(reversed(resource.group.split(".")))
        if "." in resource.group
        else f"io.k8s.api.{resource.group or 'core'}"
    )
    return f"{group}.{resource.version}.{resource.kind}"


def _gvk(resource: Resource, kind: str = "") -> Document:
    return {"group": resource.group, "version": resource.version, "kind": kind or resource.kind}


def _schemas(resource: Resource) -> Document:
    whole = resource.rules.schema.document
    properties: Document = {
        "apiVersion": {"type": "string", "description": "Version of this representation of the object."},
        "kind": {"type": "string", "description": "The kind of the object, in CamelCase."},
        "metadata": {
            "allOf": [_reference(f"{META}ObjectMeta")],
            "description": "Standard object's metadata.",
            "default": {},
        },
    }
    name = schema_name(resource)
    # The CRD's own words on metadata are few; the shared definition is what explain shows.
    body = {**whole, "properties": {**whole.get("properties", {}), **properties}}
    body[_GVK] = [_gvk(resource)]
    items = {"type": "array", "items": _reference(name)}
    listed = {**properties, "metadata": _reference(f"{META}ListMeta"), "items": items}
    list_body: Document = {"type": "object", "required": ["items"], "properties": listed}
    list_body[_GVK] = [_gvk(resource, resource.kind_of_list)]
    return {name: body, f"{name}List": list_body}


def _reference(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _paths(prefix: str, resource: Resource) -> Document:
    base = f"/{prefix}/namespaces/{{namespace}}" if resource.namespaced else f"/{prefix}"
    collection, one = f"{base}/{resource.plural}", f"{base}/{resource.plural}/{{name}}"
    paths = {collection: _collection(resource), one: _item(resource, resource.verbs)}
    if resource.namespaced and "list" in resource.verbs:
        paths[f"/{prefix}/{resource.plural}"] = {"get": _operation(resource, "list", _LISTING, many=True)}
    for name in resource.subresources:
        paths[f"{one}/{name}"] = _item(resource, ("get", "patch", "update"))
    for name, asked in resource.questions.items():
        paths[f"{one}/{name}"] = {"post": _operation(asked, "post", _WRITING, body=("application/json",))}
    return {path: item for path, item in paths.items() if item}


def _collection(resource: Resource) -> Document:
    item = {}
    if "list" in resource.verbs:
        item["get"] = _operation(resource, "list", _LISTING, many=True)
    if "create" in resource.verbs:
        item["post"] = _operation(resource, "post", _WRITING, body=("application/json", "application/yaml"))
    if "deletecollection" in resource.verbs:
        item["delete"] = _operation(resource, "deletecollection", [*_LISTING, _WRITING[0]])
    return item


def _item(resource: Resource, verbs: tuple[str, ...]) -> Document:
    item = {}
    if "get" in verbs:
        item["get"] = _operation(resource, "get", [])
    if "update" in verbs:
        item["put"] = _operation(resource, "put", _WRITING, body=("application/json", "application/yaml"))
    if "patch" in verbs:
        types = _PATCH_TYPES if resource.rules.strategic else _PATCH_TYPES[:3]
        item["patch"] = _operation(resource, "patch", [*_WRITING, _FORCE], body=types)
    if "delete" in verbs:
        item["delete"] = _operation(resource, "delete", [_WRITING[0]])
    return item


def _operation(
    resource: Resource,
    action: str,
    parameters: list[Document],
    *,
    body: tuple[str, ...] = (),
    many: bool = False,
) -> Document:
    answer = _reference(schema_name(resource) + ("List" if many else ""))
    operation: Document = {
        "parameters": [_PRETTY, *parameters],
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": answer}}}},
        "x-kubernetes-action": action,
        _GVK: _gvk(resource),
    }
    if body:
        content = {one: {"schema": _reference(schema_name(resource))} for one in body}
        operation["requestBody"] = {"required": True, "content": content}
    return operation
