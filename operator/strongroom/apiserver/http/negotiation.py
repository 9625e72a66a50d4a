"""Which form of an answer the client asked for: plain, Table, PartialObjectMetadata; in JSON or YAML."""

from dataclasses import dataclass
from typing import Literal

from strongroom.apiserver.http import statuses

Form = Literal["plain", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"]
JSON, YAML = "application/json", "application/yaml"
SUPPORTED = (JSON, YAML)
META_GROUP = "meta.k8s.io"


@dataclass(frozen=True)
class Representation:
    """How to write an answer; `version` is that of meta.k8s.io for the forms that are not plain."""

    form: Form = "plain"
    version: str = "v1"
    media_type: str = JSON


PLAIN = Representation()


def parse_media_types(header: str) -> list[tuple[str, dict[str, str]]]:
    """Media types with their parameters, best first (by q, then by order)."""
    found = []
    for position, clause in enumerate(header.split(",")):
        media_type, *pairs = (part.strip() for part in clause.split(";"))
        if not media_type:
            continue
        parameters = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 1.0
        found.append((-quality, position, media_type.lower(), parameters))
    return [(media_type, parameters) for _, _, media_type, parameters in sorted(found, key=lambda f: f[:2])]


def negotiate(accept: str, *, forms: frozenset[str] = frozenset()) -> Representation:
    """The first acceptable representation; `forms` are those this answer can take besides the plain one.

    Raises 406 when the client takes nothing that we write (protobuf or CBOR alone).
    """
    if not accept.strip():
        return PLAIN
    for media_type, parameters in parse_media_types(accept):
        written = JSON if media_type in ("*/*", "application/*") else media_type
        if written not in SUPPORTED:
            continue
        form = parameters.get("as", "")
        if not form:
            return Representation(media_type=written)
        if form in forms and parameters.get("g") == META_GROUP and parameters.get("v") in ("v1", "v1beta1"):
            return Representation(form, parameters["v"], written)  # type: ignore[arg-type]
    raise statuses.not_acceptable(SUPPORTED)
