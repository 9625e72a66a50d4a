"""A small custom kind for tests: what CRDs can say, in one schema."""

from typing import Any

GROUP, VERSION = "demo.dev", "v1"


def build_widget_crd() -> dict[str, Any]:
    """Namespaced Widgets with status, columns, defaults, bounds, a CEL rule and list types."""
    spec = {
        "type": "object",
        "description": "What is wanted.",
        "properties": {
            "size": {"type": "integer", "minimum": 1, "description": "How big the widget is."},
            "color": {"type": "string", "default": "red", "enum": ["red", "green", "blue"]},
            "fixed": {
                "type": "string",
                "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "fixed is immutable"}],
            },
            "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "parts": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
                },
            },
        },
    }
    condition = {
        "type": "object",
        "required": ["type", "status"],
        "properties": {name: {"type": "string"} for name in ("type", "status", "reason", "message")},
    }
    status = {
        "type": "object",
        "properties": {
            "phase": {"type": "string"},
            "observedGeneration": {"type": "integer"},
            "conditions": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
                "items": condition,
            },
        },
    }
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Color", "type": "string", "jsonPath": ".spec.color", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    schema = {
        "type": "object",
        "description": "A widget for tests.",
        "required": ["spec"],
        "properties": {"spec": spec, "status": status},
    }
    return build_crd("Widget", "widgets", schema, columns=columns, short_names=["wd"])


def build_crd(
    kind: str,
    plural: str,
    schema: dict[str, Any],
    *,
    columns: list[dict[str, Any]] | None = None,
    short_names: list[str] | None = None,
    scope: str = "Namespaced",
) -> dict[str, Any]:
    """A CustomResourceDefinition with one version and a status subresource."""
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns or [],
        "selectableFields": [{"jsonPath": ".spec.color"}] if kind == "Widget" else [],
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"plural": plural, "kind": kind, "shortNames": short_names or [], "categories": ["demo"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": scope, "names": names, "versions": [version]},
    }


def build_widget(name: str = "a", **spec: Any) -> dict[str, Any]:
    """A Widget to create."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": spec or {"size": 3},
    }
