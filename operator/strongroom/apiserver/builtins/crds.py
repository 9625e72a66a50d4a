"""CustomResourceDefinitions: what they say is served from the moment they are stored.

The server's own CRDs come with its settings: they may be applied again as they are, labelled and annotated, but not changed.
"""

# ruff: noqa: ARG002 - hooks are handed what other kinds need

from collections.abc import Mapping, Sequence
from typing import Any

from strongroom.apiserver import fielderrors
from strongroom.apiserver.builtins.columns import builtin_columns
from strongroom.apiserver.builtins.rules import BuiltinRules
from strongroom.apiserver.catalogue import Catalogue
from strongroom.apiserver.customresources import build_resource
from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.requests import User
from strongroom.apiserver.metaschemas import anything, array, boolean, integer, keyed, record, text, time
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.schema import StructuralSchema
from strongroom.apiserver.storage.records import Event
from strongroom.apiserver.storage.store import Store

GROUP, PLURAL, KIND = "apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition"
STORAGE_NAME = f"{PLURAL}.{GROUP}"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"

_NAMES = record(
    "Names of the resource.",
    plural=text("In paths."),
    singular=text("On the command line."),
    shortNames=array(text(), "Abbreviations."),
    kind=text("In CamelCase."),
    listKind=text("Kind of lists."),
    categories=array(text(), "Groups of resources, such as all."),
    required=("plural", "kind"),
)
_COLUMN = record(
    "A column of kubectl get.",
    name=text(),
    type=text(),
    format=text(),
    description=text(),
    priority=integer(),
    jsonPath=text(),
    required=("name", "type", "jsonPath"),
)
_VERSION = record(
    "A version of the resource.",
    name=text("Such as v1."),
    served=boolean("Whether it can be used."),
    storage=boolean("Whether objects are stored in it."),
    deprecated=boolean("Whether clients are warned."),
    deprecationWarning=text("The warning."),
    schema=record("How objects look.", openAPIV3Schema=anything("A structural schema.")),
    subresources=record("Status and scale.", status=anything(), scale=anything()),
    additionalPrinterColumns=array(_COLUMN, "Columns of kubectl get."),
    selectableFields=array(record("A field for selectors.", jsonPath=text(), required=("jsonPath",))),
    required=("name", "served", "storage"),
)
SCHEMA = record(
    "CustomResourceDefinition represents a resource that should be exposed on the API server.",
    spec=record(
        "How the resource is named and looks.",
        group=text("API group."),
        names=_NAMES,
        scope=text("Cluster or Namespaced.", enum=["Cluster", "Namespaced"]),
        versions=array(_VERSION, "Versions of the resource."),
        conversion=anything("How versions are converted."),
        preserveUnknownFields=boolean("Must be false."),
        required=("group", "names", "scope", "versions"),
    ),
    status=record(
        "The state of the definition.",
        conditions=keyed(
            record(
                type=text(),
                status=text(),
                reason=text(),
                message=text(),
                lastTransitionTime=time(),
                observedGeneration=integer(format="int64"),
                required=("type", "status"),
            ),
            "type",
        ),
        acceptedNames=_NAMES,
        storedVersions=array(text()),
        observedGeneration=integer(format="int64"),
    ),
    required=("spec",),
)


class CrdRules(BuiltinRules):
    """CustomResourceDefinitions."""

    generation = True
    status = True
    qualified_finalizers = False
    schema = StructuralSchema(SCHEMA)
    columns = builtin_columns(("Created At", ".metadata.creationTimestamp", "When it was created."))[:-1]

    def __init__(self, own: Sequence[Mapping[str, Any]]) -> None:
        """`own` are the definitions that come with the server."""
        self._own = {crd["metadata"]["name"]: complete_spec(crd["spec"]) for crd in own}

    def prepare_create(self, obj: Object, user: User) -> None:
        if isinstance(obj.get("spec"), dict):
            obj["spec"] = complete_spec(obj["spec"])
            self._refuse_foreign(obj)
            obj["status"] = _build_status(obj)
        if obj["metadata"]["name"] not in self._own:
            obj["metadata"]["finalizers"] = [CLEANUP]

    def prepare_update(self, obj: Object, old: Object, subresource: str) -> None:
        if isinstance(obj.get("spec"), dict):
            obj["spec"] = complete_spec(obj["spec"])
            self._refuse_foreign(obj)
            if subresource != "status":
                obj["status"] = _build_status(obj, old)

    def validate_create(self, obj: Object) -> list[FieldError]:
        errors = self.schema.validate(obj)
        if errors:
            return errors
        wanted = f"{obj['spec']['names']['plural']}.{obj['spec']['group']}"
        if obj["metadata"]["name"] != wanted:
            why = 'must be spec.names.plural+"."+spec.group'
            errors.append(fielderrors.invalid("metadata.name", obj["metadata"]["name"], why))
        return errors or _servable(obj)

    def validate_update(self, obj: Object, old: Object, subresource: str) -> list[FieldError]:
        errors = self.validate_create(obj)
        for name in ("scope", "group"):
            if not errors and obj["spec"][name] != old["spec"][name]:
                errors.append(fielderrors.invalid(f"spec.{name}", obj["spec"][name], "field is immutable"))
        return errors

    def admit_delete(self, obj: Object) -> None:
        name = obj["metadata"]["name"]
        if name in self._own:
            raise statuses.forbidden(PLURAL, GROUP, name, "it belongs to this server and cannot be deleted")

    def _refuse_foreign(self, obj: Object) -> None:
        """The server's own definitions stay what its settings say."""
        name = obj["metadata"].get("name", "")
        if name in self._own and obj["spec"] != self._own[name]:
            why = (
                "it belongs to this server, which serves it as its own version defines it; apply it unchanged"
            )
            raise statuses.forbidden(PLURAL, GROUP, name, why)


def complete_spec(spec: Mapping[str, Any]) -> Object:
    """The spec with what the server fills in."""
    names = dict(spec.get("names") or {})
    kind = names.get("kind", "")
    names.setdefault("singular", kind.lower())
    names.setdefault("listKind", f"{kind}List")
    versions = [
        {**version, "subresources": {"status": {}}}
        if "status" in (version.get("subresources") or {})
        else version
        for version in spec.get("versions") or ()
    ]
    completed = {**spec, "names": names, "versions": versions}
    if completed.pop("preserveUnknownFields", False):
        completed["preserveUnknownFields"] = True
    return {"conversion": {"strategy": "None"}, **completed}


def _build_status(obj: Object, old: Object | None = None) -> Object:
    spec, now = obj["spec"], obj["metadata"]["creationTimestamp"]
    if old is not None and old.get("status"):
        return {**old["status"], "acceptedNames": spec["names"]}
    accepted = {"type": "NamesAccepted", "reason": "NoConflicts", "message": "no conflicts found"}
    established = {"type": "Established", "reason": "InitialNamesAccepted"}
    established["message"] = "the initial names have been accepted"
    return {
        "conditions": [
            {"status": "True", "lastTransitionTime": now, **condition}
            for condition in (accepted, established)
        ],
        "acceptedNames": spec["names"],
        "storedVersions": [version["name"] for version in spec.get("versions", ()) if version.get("storage")],
    }


def _servable(obj: Object) -> list[FieldError]:
    try:
        build_resource(obj)
    except (ValueError, KeyError) as error:
        return [fielderrors.invalid("spec", fielderrors.OMITTED, str(error))]
    return []


def build(own: Sequence[Mapping[str, Any]]) -> Resource:
    """The resource of CustomResourceDefinitions."""
    return Resource(
        GROUP,
        "v1",
        PLURAL,
        KIND,
        CrdRules(own),
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        subresources=("status",),
    )


def renew(own: Mapping[str, Any], obj: Object) -> Object:
    """The stored definition as the server's settings have it now; what others added to its metadata stays."""
    metadata = dict(obj["metadata"])
    for name in ("labels", "annotations"):
        metadata[name] = {**(metadata.get(name) or {}), **(own["metadata"].get(name) or {})}
    spec = complete_spec(own["spec"])
    if spec == obj["spec"]:
        return {**obj, "metadata": metadata}
    metadata["generation"] = metadata.get("generation", 0) + 1
    return {
        **obj,
        "metadata": metadata,
        "spec": spec,
        "status": {**obj["status"], "acceptedNames": spec["names"]},
    }


def serve_definition(catalogue: Catalogue, store: Store, definition: Object) -> None:
    """Serve what a definition says; objects that are stored already are read by its schema (pruned and defaulted)."""
    resource = build_resource(definition)
    catalogue.add(resource)
    rules = resource.rules
    store.reread(resource.storage_name, lambda obj: rules.apply_defaults(rules.prune(obj)[0]))


def follow(catalogue: Catalogue, store: Store, event: Event) -> None:
    """Keep the catalogue as the stored definitions say: a listener of the store."""
    if event.current.key.resource != STORAGE_NAME:
        return
    if event.operation == "DELETED":
        catalogue.remove(event.current.key.name)
        return
    before = event.previous and event.previous.object["spec"]
    if before != event.current.object["spec"]:
        serve_definition(catalogue, store, event.current.object)
