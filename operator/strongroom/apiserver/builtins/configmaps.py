"""ConfigMaps: text and binary data under keys of one form."""

# ruff: noqa: ARG002 - hooks are handed what other kinds need

from strongroom.apiserver import fielderrors
from strongroom.apiserver.builtins.keyed_data import immutable_errors, key_errors
from strongroom.apiserver.builtins.rules import BuiltinRules
from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.metaschemas import boolean, mapping, record, text
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.schema import StructuralSchema
from strongroom.apiserver.tables import AGE, NAME, Column

LARGEST_BYTES = 1024 * 1024


class ConfigMapRules(BuiltinRules):
    """ConfigMaps."""

    columns = (
        NAME,
        Column(
            "Data",
            lambda obj, _now: len(obj.get("data") or {}) + len(obj.get("binaryData") or {}),
            "integer",
            description="Number of keys.",
        ),
        AGE,
    )
    schema = StructuralSchema(
        record(
            "ConfigMap holds configuration data for programs to read.",
            immutable=boolean("If true, the data cannot be updated any more.", nullable=True),
            data=mapping(text(), "Text by key.", nullable=True),
            binaryData=mapping(text(format="byte"), "Bytes by key, base64-encoded.", nullable=True),
        )
    )

    def validate_create(self, obj: Object) -> list[FieldError]:
        errors = self.schema.validate(obj)
        data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
        errors += key_errors(data, "data") + key_errors(binary, "binaryData")
        both = [key for key in binary if key in data]
        errors += [fielderrors.invalid("binaryData", key, "duplicate of key present in data") for key in both]
        if sum(len(value) for value in (*data.values(), *binary.values())) > LARGEST_BYTES:
            errors.append(fielderrors.too_long("", LARGEST_BYTES))
        return errors

    def validate_update(self, obj: Object, old: Object, subresource: str) -> list[FieldError]:
        return [*self.validate_create(obj), *immutable_errors(obj, old, ("data", "binaryData"))]


RESOURCE = Resource("", "v1", "configmaps", "ConfigMap", ConfigMapRules(), short_names=("cm",))
