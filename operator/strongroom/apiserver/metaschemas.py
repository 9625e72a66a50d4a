"""Schemas of what every object shares: ObjectMeta and ListMeta, for decoding, OpenAPI and `kubectl explain`."""

from typing import Any

Schema = dict[str, Any]


def text(description: str = "", **more: Any) -> Schema:
    """A string."""
    return _described({"type": "string", **more}, description)


def time(description: str = "") -> Schema:
    """metav1.Time."""
    return text(description, format="date-time")


def integer(description: str = "", **more: Any) -> Schema:
    """An int32, unless `format` says otherwise."""
    return _described({"type": "integer", "format": "int32", **more}, description)


def boolean(description: str = "", **more: Any) -> Schema:
    """A boolean."""
    return _described({"type": "boolean", **more}, description)


def record(description: str = "", /, *, required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """An object with named fields; a trailing underscore escapes Python's own words."""
    schema: Schema = {"type": "object", "properties": {name.rstrip("_"): s for name, s in properties.items()}}
    if required:
        schema["required"] = list(required)
    return _described(schema, description)


def mapping(values: Schema, description: str = "", **more: Any) -> Schema:
    """An object with any keys."""
    return _described({"type": "object", "additionalProperties": values, **more}, description)


def array(items: Schema, description: str = "", **more: Any) -> Schema:
    """A list."""
    return _described({"type": "array", "items": items, **more}, description)


def keyed(items: Schema, key: str, description: str = "", **more: Any) -> Schema:
    """A list that merges by a key of its items."""
    merging = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    return array(
        items,
        description,
        **merging,
        **{"x-kubernetes-patch-merge-key": key, "x-kubernetes-patch-strategy": "merge"},
        **more,
    )


def anything(description: str = "") -> Schema:
    """An object that is kept as it comes."""
    return _described({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, description)


def _described(schema: Schema, description: str) -> Schema:
    return {"description": description, **schema} if description else schema


OWNER_REFERENCE = record(
    "OwnerReference names an object in the same namespace, or a cluster-wide one, that owns this one.",
    apiVersion=text("API version of the owner."),
    kind=text("Kind of the owner."),
    name=text("Name of the owner."),
    uid=text("UID of the owner."),
    controller=boolean("Whether this owner is the managing controller."),
    blockOwnerDeletion=boolean("Whether a foreground deletion of the owner waits for this object."),
    required=("apiVersion", "kind", "name", "uid"),
) | {"x-kubernetes-map-type": "atomic"}

MANAGED_FIELDS = record(
    "ManagedFieldsEntry says which fields a manager set.",
    manager=text("Who manages these fields."),
    operation=text("Apply or Update."),
    apiVersion=text("Version that the fields belong to."),
    time=time("When the fields were last changed by this manager."),
    fieldsType=text('Always "FieldsV1".'),
    fieldsV1=anything("The fields as a tree."),
    subresource=text("The subresource the fields were written by."),
)

OBJECT_META = record(
    "ObjectMeta is metadata that all persisted resources must have.",
    name=text("Name, unique within the namespace and the kind. Cannot be changed."),
    generateName=text("Prefix from which the server makes a unique name when name is not given."),
    namespace=text("Namespace that the object lives in. Cannot be changed."),
    selfLink=text("Deprecated, not filled."),
    uid=text("Unique in time and space, set by the server."),
    resourceVersion=text(
        "Opaque version of the object: give it back in an update to be refused when someone else was faster."
    ),
    generation=integer("Number of the desired state, counted by the server.", format="int64"),
    creationTimestamp=time("When the server created the object."),
    deletionTimestamp=time("When the object's deletion was asked for; it goes when its finalizers are gone."),
    deletionGracePeriodSeconds=integer("Seconds that the object may take to end.", format="int64"),
    labels=mapping(text(), "Labels select objects."),
    annotations=mapping(text(), "Annotations hold any text that tools store with the object."),
    ownerReferences=keyed(
        OWNER_REFERENCE, "uid", "Objects that own this one; when none is left, it is deleted."
    ),
    finalizers=array(
        text(),
        "Names of whoever must act before the object may go.",
        **{"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"},
    ),
    managedFields=array(
        MANAGED_FIELDS, "Which manager set which fields.", **{"x-kubernetes-list-type": "atomic"}
    ),
)

LIST_META = record(
    "ListMeta is metadata of lists.",
    selfLink=text("Deprecated, not filled."),
    resourceVersion=text("The moment that the list shows."),
    continue_=text("Give it back to get the next page."),
    remainingItemCount=integer("How many more there are.", format="int64"),
)
