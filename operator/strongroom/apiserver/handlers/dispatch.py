"""Which handler answers: by method, by what the path names, and by the verbs of the resource."""

from collections.abc import Awaitable, Callable

from strongroom.apiserver.handlers import creates, deletes, patches, reads, updates
from strongroom.apiserver.handlers.calls import Call
from strongroom.apiserver.handlers.options import parse_bool
from strongroom.apiserver.handlers.watches import WatchStream
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.requests import Receive, Request
from strongroom.apiserver.http.responses import Response
from strongroom.apiserver.http.targets import Target

Handler = Callable[[Call], Awaitable[Response]]
_ON_ONE = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_ON_ALL = {"GET": "list", "HEAD": "list", "POST": "create", "DELETE": "deletecollection"}
_HANDLERS: dict[str, Handler] = {
    "get": reads.get,
    "list": reads.list_objects,
    "create": creates.create,
    "update": updates.update,
    "patch": patches.patch,
    "delete": deletes.delete,
    "deletecollection": deletes.delete_collection,
}


def verb_of(request: Request, target: Target) -> str:
    """The verb as authorization and audit name it; empty for a method that Kubernetes does not use."""
    verb = (_ON_ONE if target.name else _ON_ALL).get(request.method, "")
    return "watch" if verb == "list" and parse_bool(request.query.get("watch", "")) else verb


async def dispatch(call: Call, receive: Receive) -> Response | WatchStream:
    """Answer a call on a resource. Raises StatusError."""
    verb = verb_of(call.request, call.target)
    if not verb or not _allowed(call, verb):
        raise statuses.method_not_allowed()
    if verb == "watch":
        return WatchStream(call, receive)
    return await _HANDLERS[verb](call)


def _allowed(call: Call, verb: str) -> bool:
    resource, target = call.resource, call.target
    if target.subresource:
        if target.subresource in resource.questions:
            return verb == "create"
        if target.subresource not in resource.subresources:
            raise statuses.no_such_resource()
        return verb in ("get", "update", "patch")
    if verb == "create" and target.name:
        return False
    inside = not resource.namespaced or bool(target.namespace)
    return verb in resource.verbs and (inside or verb in ("list", "watch"))
