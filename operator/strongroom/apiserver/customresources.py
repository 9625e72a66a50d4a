"""Custom resources: what a CRD says, as a served resource."""

from collections.abc import Mapping
from typing import Any

from strongroom.apiserver.cel import RuleError, compile_rules
from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.ratcheting import new_faults
from strongroom.apiserver.resources import Object, Resource, Rules
from strongroom.apiserver.schema import StructuralSchema, check_structural
from strongroom.apiserver.selectors import field_text
from strongroom.apiserver.tables import printer_columns


class CustomRules(Rules):
    """Schema, columns, status and selectable fields of one version of a CRD."""

    def __init__(self, version: Mapping[str, Any]) -> None:
        """`version` is an item of the CRD's spec.versions."""
        self.schema = StructuralSchema(version["schema"]["openAPIV3Schema"])
        self._rules = compile_rules(self.schema.document)
        self.columns = printer_columns(version.get("additionalPrinterColumns"))
        self.generation = True
        self.status = "status" in version.get("subresources", {})
        self._selectable = [one["jsonPath"].lstrip(".") for one in version.get("selectableFields", ())]

    def validate_create(self, obj: Object) -> list[FieldError]:
        """The schema first; rules in CEL only see what it accepts."""
        return self.schema.validate(obj) or self._rules.validate(obj)

    def validate_update(self, obj: Object, old: Object, subresource: str) -> list[FieldError]:
        """Whole for the object, the status alone for its subresource: nobody can mend a spec through /status."""
        errors = new_faults(self.schema.validate(obj), obj, old) or self._rules.validate(obj, old)
        if subresource == "status":
            return [error for error in errors if error.field.split(".")[0].split("[")[0] == "status"]
        return errors

    def fields(self, obj: Object) -> dict[str, str]:
        """The CRD's selectableFields."""
        return {path: field_text(_dig(obj, path)) for path in self._selectable}


def build_resource(crd: Mapping[str, Any]) -> Resource:
    """The served version of a CRD. Raises ValueError for what this server cannot serve."""
    spec, name = crd["spec"], crd["metadata"]["name"]
    served = [version for version in spec["versions"] if version["served"]]
    if len(served) != 1:
        raise ValueError(f"{name}: exactly one served version is supported, found {len(served)}")
    (version,) = served
    if problems := check_structural(version["schema"]["openAPIV3Schema"]):
        raise ValueError(f"{name}: the schema is not structural: {'; '.join(problems)}")
    names = spec["names"]
    try:
        rules = CustomRules(version)
    except RuleError as error:
        raise ValueError(f"{name}: {error}") from error
    return Resource(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        kind=names["kind"],
        rules=rules,
        namespaced=spec["scope"] == "Namespaced",
        singular=names.get("singular", ""),
        list_kind=names.get("listKind", ""),
        short_names=tuple(names.get("shortNames", ())),
        categories=tuple(names.get("categories", ())),
        subresources=("status",) if "status" in version.get("subresources", {}) else (),
    )


def _dig(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
