"""DELETE: one object or a selection, with preconditions, finalizers and propagation."""

from dataclasses import dataclass
from typing import Any

from strongroom.apiserver import fielderrors
from strongroom.apiserver.cluster import Cluster, conflict, key_of
from strongroom.apiserver.handlers.calls import Call, answer_object
from strongroom.apiserver.handlers.options import META_GROUP, dry_run_errors, parse_bool
from strongroom.apiserver.handlers.reads import build_list
from strongroom.apiserver.handlers.selections import read_selection
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.bodies import read_object
from strongroom.apiserver.http.requests import Request
from strongroom.apiserver.http.responses import Response, build_response
from strongroom.apiserver.resources import Resource
from strongroom.apiserver.storage.errors import StaleError
from strongroom.apiserver.storage.records import Stored, encode

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_POLICIES = ("Background", "Foreground", "Orphan")


@dataclass(frozen=True)
class DeleteOptions:
    """How to delete."""

    dry_run: bool = False
    propagation: str = "Background"
    uid: str = ""
    resource_version: str = ""


async def delete(call: Call) -> Response:
    """200: a Status when the object is gone, the object when finalizers hold it."""
    options = parse_delete_options(call.request)
    stored = await delete_object(
        call.cluster, call.resource, call.target.namespace, call.target.name, options
    )
    if call.resource.rules.held(stored.object):
        return answer_object(call, stored)
    return build_response(build_success(call.resource, stored))


def build_success(resource: Resource, stored: Stored) -> dict[str, Any]:
    """The Status that says an object is gone."""
    details = {"name": stored.key.name, "group": resource.group, "kind": resource.plural}
    details["uid"] = stored.object["metadata"]["uid"]
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


async def delete_collection(call: Call) -> Response:
    """200 with the list of what was deleted (or is now on its way)."""
    options = parse_delete_options(call.request)
    selection = read_selection(call)
    deleted = []
    for found in call.cluster.store.items(call.resource.storage_name, call.target.namespace):
        if not selection.matches(found):
            continue
        try:
            deleted.append(
                await delete_object(call.cluster, call.resource, found.key.namespace, found.key.name, options)
            )
        except statuses.StatusError as error:
            if error.code != 404:
                raise
    return build_list(call, deleted, {"resourceVersion": str(call.cluster.store.revision)})


async def delete_object(
    cluster: Cluster, resource: Resource, namespace: str, name: str, options: DeleteOptions
) -> Stored:
    """Remove the object, or mark it as being deleted when finalizers hold it. Raises 404, 409."""
    key = key_of(resource, namespace, name)
    async with cluster.store.lock(key):
        old = cluster.store.get(key)
        if old is None:
            raise statuses.not_found(resource.plural, resource.group, name)
        _check_preconditions(resource, old, options)
        resource.rules.admit_delete(old.object)
        obj = {**old.object, "metadata": _mark(cluster, resource, old, options)}
        resource.rules.prepare_delete(obj)
        if obj == old.object and resource.rules.held(obj):
            return old
        if options.dry_run:
            return Stored(key, old.revision, obj, encode(obj))
        try:
            if resource.rules.held(obj):
                return await cluster.store.update(old, obj)
            return await cluster.store.delete(old)
        except StaleError as error:
            raise conflict(resource, name) from error


def _mark(cluster: Cluster, resource: Resource, old: Stored, options: DeleteOptions) -> dict[str, Any]:
    """Metadata with the finalizers of the propagation policy and the time of deletion."""
    metadata = dict(old.object["metadata"])
    finalizers = [f for f in metadata.get("finalizers", ()) if f not in (ORPHAN, FOREGROUND)]
    wanted = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(options.propagation)
    metadata["finalizers"] = [*finalizers, wanted] if wanted else finalizers
    if not metadata["finalizers"]:
        del metadata["finalizers"]
    if not metadata.get("deletionTimestamp"):
        metadata["deletionTimestamp"] = cluster.timestamp()
        metadata["deletionGracePeriodSeconds"] = 0
        if resource.rules.generation:
            metadata["generation"] = metadata.get("generation", 0) + 1
    return metadata


def _check_preconditions(resource: Resource, old: Stored, options: DeleteOptions) -> None:
    uid = old.object["metadata"]["uid"]
    if options.uid and options.uid != uid:
        why = f"Precondition failed: UID in precondition: {options.uid}, UID in object meta: {uid}"
        raise conflict(resource, old.key.name, why)
    if options.resource_version and options.resource_version != str(old.revision):
        why = (
            f"Precondition failed: ResourceVersion in precondition: {options.resource_version}, "
            f"ResourceVersion in object meta: {old.revision}"
        )
        raise conflict(resource, old.key.name, why)


def parse_delete_options(request: Request) -> DeleteOptions:
    """From the body where there is one, else from the query. Raises 400, 415, 422."""
    given: dict[str, Any] = read_object(request, "DeleteOptions").value if request.body.strip() else {}
    query = request.query
    dry_run = given.get("dryRun") or query.getlist("dryRun")
    propagation = given.get("propagationPolicy") or query.get("propagationPolicy")
    orphan = given.get("orphanDependents")
    if orphan is None and "orphanDependents" in query:
        orphan = parse_bool(query["orphanDependents"])
    errors = dry_run_errors(dry_run)
    if propagation is not None and propagation not in _POLICIES:
        errors.append(fielderrors.not_supported("propagationPolicy", propagation, [*_POLICIES, "nil"]))
    if propagation is not None and orphan is not None:
        message = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(fielderrors.invalid("propagationPolicy", propagation, message))
    if errors:
        raise statuses.invalid("DeleteOptions", META_GROUP, "", errors)
    preconditions = given.get("preconditions") or {}
    return DeleteOptions(
        dry_run=bool(dry_run),
        propagation=propagation or ("Orphan" if orphan else "Background"),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
    )
