"""One request with all that a handler needs, and the answers that handlers share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from strongroom.apiserver.cluster import Cluster, key_of, not_found
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.negotiation import Representation, negotiate
from strongroom.apiserver.http.requests import Request
from strongroom.apiserver.http.responses import Response, build_response
from strongroom.apiserver.http.targets import Target
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.storage.records import Key, Stored
from strongroom.apiserver.tables import build_table, partial_metadata

FORMS_OF_ONE = frozenset({"Table", "PartialObjectMetadata"})


@dataclass(frozen=True)
class Call:
    """A request on a resource that exists."""

    cluster: Cluster
    request: Request
    target: Target
    resource: Resource
    is_allowed: Callable[[], bool] = lambda: True
    """Whether the same request would be let in now: for answers that take their time."""

    @property
    def key(self) -> Key:
        """Of the object that the path names."""
        return key_of(self.resource, self.target.namespace, self.target.name)

    def read(self) -> Stored:
        """The object that the path names. Raises 404."""
        stored = self.cluster.store.get(self.key)
        if stored is None:
            raise not_found(self.resource, self.target.name)
        return stored

    def named(self, name: str) -> "Call":
        """The same call on another object."""
        return replace(self, target=replace(self.target, name=name))


def answer_object(
    call: Call, found: Stored | Object, code: int = 200, warnings: Sequence[str] = ()
) -> Response:
    """One object in the form that the client asked for."""
    representation = negotiate(call.request.headers.get("accept", ""), forms=FORMS_OF_ONE)
    response = _represent(call, found, code, representation)
    response.warnings = warnings
    return response


def _represent(call: Call, found: Stored | Object, code: int, representation: Representation) -> Response:
    obj = found.object if isinstance(found, Stored) else found
    if representation.form == "Table":
        metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return build_response(
            table_of(call, [obj], metadata, representation.version), code, representation.media_type
        )
    if representation.form == "PartialObjectMetadata":
        partial = partial_metadata(obj, f"meta.k8s.io/{representation.version}")
        return build_response(partial, code, representation.media_type)
    if isinstance(found, Stored) and representation.media_type == "application/json":
        return Response(found.encoded, code)
    return build_response(obj, code, representation.media_type)


def table_of(
    call: Call, objects: Sequence[Object], metadata: dict[str, Any], version: str, *, definitions: bool = True
) -> dict[str, Any]:
    """The objects as a Table; `includeObject` in the query says what comes with each row. Raises 400."""
    included = call.request.query.get("includeObject", "") or "Metadata"
    if included not in ("None", "Metadata", "Object"):
        raise statuses.bad_request(f'unrecognized includeObject value: "{included}"')
    return build_table(
        objects,
        call.resource.rules.columns,
        now=call.cluster.clock(),
        include_object=included,
        list_metadata=metadata,
        version=version,
        with_definitions=definitions,
    )
