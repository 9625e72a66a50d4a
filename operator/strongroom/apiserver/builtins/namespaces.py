"""Namespaces: always there for what they hold, emptied before they go."""

# ruff: noqa: ARG002 - hooks are handed what other kinds need

from strongroom.apiserver.builtins.columns import builtin_columns
from strongroom.apiserver.builtins.rules import BuiltinRules
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.requests import User
from strongroom.apiserver.metaschemas import array, record, text, time
from strongroom.apiserver.objectmeta import dns_label_problems
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.schema import StructuralSchema
from strongroom.apiserver.storage.records import Key
from strongroom.apiserver.storage.store import Store

RESOURCE_NAME = "namespaces"
KEEPER = "kubernetes"
"""The finalizer in spec that the namespace's own life cycle removes."""
PROTECTED = ("default", "kube-system")
NAME_LABEL = "kubernetes.io/metadata.name"


class NamespaceRules(BuiltinRules):
    """Namespaces."""

    status = True
    columns = builtin_columns(("Status", ".status.phase", "The status of the namespace"))
    schema = StructuralSchema(
        record(
            "Namespace provides a scope for names.",
            spec=record(
                "What holds the namespace.",
                finalizers=array(text(), "Must be empty before the namespace goes."),
            ),
            status=record(
                "The state of the namespace.",
                phase=text("Active or Terminating."),
                conditions=array(
                    record(
                        type=text(),
                        status=text(),
                        reason=text(),
                        message=text(),
                        lastTransitionTime=time(),
                    ),
                    "What its deletion waits for.",
                ),
            ),
        )
    )

    name_problems = staticmethod(dns_label_problems)

    def normalise(self, obj: Object) -> Object:
        metadata = obj["metadata"]
        metadata["labels"] = {**(metadata.get("labels") or {}), NAME_LABEL: metadata.get("name", "")}
        return obj

    def prepare_create(self, obj: Object, user: User) -> None:
        obj["spec"] = {"finalizers": [KEEPER]}
        obj["status"] = {"phase": "Active"}

    def prepare_update(self, obj: Object, old: Object, subresource: str) -> None:
        if subresource != "finalize":
            obj["spec"] = old["spec"]

    def prepare_delete(self, obj: Object) -> None:
        obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}

    def held(self, obj: Object) -> bool:
        return bool(obj["metadata"].get("finalizers") or obj["spec"].get("finalizers"))

    def admit_delete(self, obj: Object) -> None:
        name = obj["metadata"]["name"]
        if name in PROTECTED:
            raise statuses.forbidden(RESOURCE_NAME, "", name, "this namespace may not be deleted")

    def fields(self, obj: Object) -> dict[str, str]:
        return {"status.phase": obj.get("status", {}).get("phase", "")}


class NamespaceGuard:
    """Admission: nothing is created in a namespace that is absent or on its way out."""

    def __init__(self, store: Store) -> None:
        """Look into this store."""
        self._store = store

    def admit_create(self, resource: Resource, obj: Object) -> None:
        """Raise 404 or 403."""
        namespace = obj["metadata"].get("namespace")
        if not namespace:
            return
        stored = self._store.get(Key(RESOURCE_NAME, "", namespace))
        if stored is None:
            raise statuses.not_found(RESOURCE_NAME, "", namespace)
        if stored.object["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
            name = obj["metadata"].get("name", "")
            raise statuses.forbidden(resource.plural, resource.group, name, why, [cause])


RESOURCE = Resource(
    "",
    "v1",
    RESOURCE_NAME,
    "Namespace",
    NamespaceRules(),
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources=("finalize", "status"),
)
