"""Secrets: base64 data, stringData folded into it, a type that never changes, and `immutable`."""

# ruff: noqa: ARG002 - hooks are handed what other kinds need

import base64
import binascii
import re

from strongroom.apiserver import fielderrors
from strongroom.apiserver.builtins.columns import builtin_columns
from strongroom.apiserver.builtins.keyed_data import immutable_errors, key_errors
from strongroom.apiserver.builtins.rules import BuiltinRules
from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.http import statuses
from strongroom.apiserver.metaschemas import boolean, mapping, record, text
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.schema import StructuralSchema
from strongroom.apiserver.tables import AGE, Column

LARGEST_BYTES = 1024 * 1024
OPAQUE = "Opaque"
_REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


class SecretRules(BuiltinRules):
    """Secrets."""

    columns = (
        *builtin_columns(("Type", ".type", "Used to facilitate programmatic handling of secret data."))[:-1],
        Column(
            "Data", lambda obj, _now: len(obj.get("data") or {}), "integer", description="Number of keys."
        ),
        AGE,
    )
    schema = StructuralSchema(
        record(
            "Secret holds secret data of a certain type. The total bytes of the values in the Data field must be less than 1 MiB.",
            immutable=boolean("If true, the data cannot be updated any more.", nullable=True),
            data=mapping(
                text(format="byte", nullable=True), "The secret data, base64-encoded.", nullable=True
            ),
            stringData=mapping(
                text(), "Secret data as plain strings; write-only, folded into data.", nullable=True
            ),
            type=text("What the secret is for. Cannot be changed."),
        )
    )

    def normalise(self, obj: Object) -> Object:
        _fold(obj)
        return obj

    def validate_create(self, obj: Object) -> list[FieldError]:
        return _errors(obj)

    def validate_update(self, obj: Object, old: Object, subresource: str) -> list[FieldError]:
        errors = _errors(obj)
        if obj["type"] != old["type"]:
            errors.append(fielderrors.invalid("type", obj["type"], "field is immutable"))
        return [*errors, *immutable_errors(obj, old, ("data",))]

    def fields(self, obj: Object) -> dict[str, str]:
        return {"type": obj.get("type", "")}


def _fold(obj: Object) -> None:
    """StringData into data, values into canonical base64. Raises 400 for what is not base64."""
    plain = obj.pop("stringData", None) or {}
    data = {name: _canonical(name, value) for name, value in (obj.get("data") or {}).items()}
    data |= {name: base64.b64encode(value.encode()).decode() for name, value in plain.items()}
    obj.pop("data", None)
    if data:
        obj["data"] = data
    obj["type"] = obj.get("type") or OPAQUE


def _canonical(name: str, value: str | None) -> str:
    try:
        # Go's decoder skips line breaks and insists on everything else.
        return base64.b64encode(base64.b64decode(re.sub(r"[\r\n]", "", value or ""), validate=True)).decode()
    except (binascii.Error, ValueError) as error:
        raise statuses.bad_request(
            f'Secret in version "v1" cannot be handled as a Secret: illegal base64 data in Secret.data[{name}]'
        ) from error


def _errors(obj: Object) -> list[FieldError]:
    data = obj.get("data") or {}
    errors = key_errors(data, "data")
    if sum(len(base64.b64decode(value)) for value in data.values()) > LARGEST_BYTES:
        errors.append(fielderrors.too_long("data", LARGEST_BYTES))
    missing = [key for key in _REQUIRED_KEYS.get(obj["type"], ()) if key not in data]
    return [*errors, *(fielderrors.required(f"data[{key}]") for key in missing)]


RESOURCE = Resource("", "v1", "secrets", "Secret", SecretRules())
