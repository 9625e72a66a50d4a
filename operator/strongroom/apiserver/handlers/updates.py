"""PUT: replace an object, or its status."""

from strongroom.apiserver.cluster import conflict
from strongroom.apiserver.handlers.bodies import check_place, read_written_object
from strongroom.apiserver.handlers.calls import Call, answer_object
from strongroom.apiserver.handlers.options import parse_write_options
from strongroom.apiserver.handlers.writes import check_revision, update_object
from strongroom.apiserver.http.responses import Response


async def update(call: Call) -> Response:
    """200 with the object as it is now."""
    options = parse_write_options(call.request, "UpdateOptions")
    obj, warnings = read_written_object(call.request, call.resource, options)
    check_place(obj, call.target)
    async with call.cluster.store.lock(call.key):
        old = call.read()
        uid = obj["metadata"].get("uid")
        if uid and uid != old.object["metadata"]["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old.object['metadata']['uid']}"
            raise conflict(call.resource, call.target.name, why)
        check_revision(call, old, obj)
        stored = await update_object(call, old, obj, options)
    return answer_object(call, stored, 200, [*warnings, *call.resource.rules.warnings(stored.object)])
