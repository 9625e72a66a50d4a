"""What shape may an object have? Structural schemas as apiextensions applies them: prune, default, then validate.

Belongs here: pure functions over parsed JSON and the `openAPIV3Schema` of a CRD version, as it stands in the CRD.
Forbidden: rules in CEL (package `cel`), metadata (module `objectmeta`), knowledge of any kind.
"""

from dataclasses import dataclass
from typing import Any

from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.schema.correlation import NO_PAST
from strongroom.apiserver.schema.defaulting import apply_defaults
from strongroom.apiserver.schema.listtypes import validate_list_types
from strongroom.apiserver.schema.pruning import prune
from strongroom.apiserver.schema.structure import check_structural
from strongroom.apiserver.schema.values import validate_values

__all__ = ["StructuralSchema", "apply_defaults", "check_structural", "prune", "validate"]


def validate(value: Any, schema: dict[str, Any], old: Any | None = None) -> list[FieldError]:
    """Every violation at once: values against the schema, then duplicates in lists of type set and map.

    With the stored object as `old`, values that did not change pass even if they would not today (ratcheting).
    """
    past = NO_PAST if old is None else old
    return [*validate_values(value, schema, old=past), *validate_list_types(value, schema)]


@dataclass(frozen=True)
class StructuralSchema:
    """The schema of one version of a kind. Values are never changed in place."""

    document: dict[str, Any]

    def prune(self, value: Any) -> tuple[Any, list[str]]:
        return prune(value, self.document)

    def apply_defaults(self, value: Any) -> Any:
        return apply_defaults(value, self.document)

    def validate(self, value: Any, old: Any | None = None) -> list[FieldError]:
        return validate(value, self.document, old)
