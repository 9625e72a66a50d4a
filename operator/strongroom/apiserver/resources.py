"""What is served: one `Resource` per group, version and plural, with the `Rules` in which kinds differ.

The handlers know these two shapes and no kind; custom resources fill them from a CRD, `builtins` by hand.
"""

# ruff: noqa: ARG002 - hooks are handed what other kinds need

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.http.requests import User
from strongroom.apiserver.http.statuses import qualify
from strongroom.apiserver.objectmeta import NameCheck, subdomain_problems
from strongroom.apiserver.schema import StructuralSchema
from strongroom.apiserver.tables import AGE, NAME, Column

Object = dict[str, Any]
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Rules:
    """In what a kind differs. Objects passed in are the caller's own copies unless the name says otherwise."""

    schema = StructuralSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    """Of the whole object; metadata apart."""
    columns: Sequence[Column] = (NAME, AGE)
    generation = False
    """Whether metadata.generation counts changes of the desired state."""
    status = False
    """Whether `.status` is written only through /status."""
    strategic = False
    """Whether strategic merge patches are understood."""
    typed = False
    """Whether a value of the wrong type makes the body unreadable (400) instead of the object invalid (422)."""
    qualified_finalizers = False
    """Whether finalizers that are not Kubernetes' own need a prefix."""
    transient = False
    """Whether creating one only asks a question: it is answered and never stored."""
    unconditional_update = False
    """Whether a PUT may come without a resourceVersion."""

    def prune(self, obj: Object) -> tuple[Object, list[str]]:
        """The object without what the schema does not know, and the unknown paths, for fieldValidation."""
        return self.schema.prune(obj)

    def apply_defaults(self, obj: Object) -> Object:
        """The object with its defaults."""
        filled: Object = self.schema.apply_defaults(obj)
        return filled

    def normalise(self, obj: Object) -> Object:
        """The object as its own decoder would have read it, beyond defaults. Raises 400 for what cannot be read."""
        return obj

    def prepare_create(self, obj: Object, user: User) -> None:
        """Fold and set what the kind itself sets at creation."""

    def prepare_update(self, obj: Object, old: Object, subresource: str) -> None:
        """Bring back what an update may not touch; `old` is shared and stays as it is."""

    def validate_create(self, obj: Object) -> list[FieldError]:
        """Every fault of a new object beyond its metadata."""
        return self.schema.validate(obj)

    def validate_update(self, obj: Object, old: Object, subresource: str) -> list[FieldError]:
        """Every fault of a change beyond its metadata."""
        return self.schema.validate(obj)

    def fields(self, obj: Object) -> dict[str, str]:
        """Values that field selectors may ask for, besides metadata.name and metadata.namespace."""
        return {}

    name_problems: NameCheck = staticmethod(subdomain_problems)
    """What is wrong with a name."""

    def prepare_delete(self, obj: Object) -> None:
        """Set what the kind itself sets when its deletion begins."""

    def held(self, obj: Object) -> bool:
        """Whether an object that is being deleted must stay for now."""
        return bool(obj["metadata"].get("finalizers"))

    def admit_delete(self, obj: Object) -> None:
        """Raise a StatusError when an object may not be deleted."""

    def answer(self, obj: Object, user: User) -> Object:
        """The answer to a transient object."""
        return obj

    def answer_about(self, obj: Object, subject: Object) -> Object:
        """The answer to a transient object that asks about `subject`, at a subresource of it."""
        return obj

    def expires_at(self, obj: Object) -> datetime | None:
        """When the object goes by itself."""
        return None

    def warnings(self, obj: Object) -> list[str]:
        """Advice for the client that wrote the object."""
        return []


@dataclass(frozen=True, eq=False)
class Resource:
    """One plural under one version."""

    group: str
    version: str
    plural: str
    kind: str
    rules: Rules
    namespaced: bool = True
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[str, ...] = field(default=())
    questions: Mapping[str, "Resource"] = field(default_factory=dict)
    """Subresources that only answer: each with the transient kind that is created there."""

    @property
    def api_version(self) -> str:
        """`v1` or `group/version`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def storage_name(self) -> str:
        """The resource part of keys: the same for all versions."""
        return qualify(self.plural, self.group)

    @property
    def kind_of_list(self) -> str:
        """`WidgetList` unless named otherwise."""
        return self.list_kind or f"{self.kind}List"

    @property
    def name_of_one(self) -> str:
        """The singular name."""
        return self.singular or self.kind.lower()
