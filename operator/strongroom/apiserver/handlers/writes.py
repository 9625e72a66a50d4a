"""The steps that every write shares: stamp, default, validate, compare, commit."""

import secrets
import uuid
from dataclasses import dataclass
from typing import Any

from strongroom.apiserver import managedfields
from strongroom.apiserver.cluster import Cluster, conflict, key_of
from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.handlers.calls import Call
from strongroom.apiserver.handlers.options import WriteOptions
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.requests import User
from strongroom.apiserver.objectmeta import generated_name, validate_metadata, validate_metadata_update
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.storage.errors import StaleError
from strongroom.apiserver.storage.records import Stored, encode

_ATTEMPTS = 8
_SYSTEM_FIELDS = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)
_RANDOM = secrets.SystemRandom()


@dataclass(frozen=True)
class Creation:
    """Where a new object goes, and who makes it."""

    cluster: Cluster
    resource: Resource
    namespace: str
    user: User
    options: WriteOptions


async def create_object(creation: Creation, obj: Object, *, applied: bool = False) -> Stored:
    """Make a new object of a pruned body. Raises 4xx; 409 when it exists. An `applied` one has its managedFields already."""
    resource, metadata = creation.resource, obj["metadata"]
    if metadata.get("resourceVersion"):
        raise statuses.bad_request("resourceVersion should not be set on objects to be created")
    if resource.namespaced:
        metadata["namespace"] = creation.namespace
    else:
        metadata.pop("namespace", None)
    generated = not metadata.get("name") and bool(metadata.get("generateName"))
    attempts = _ATTEMPTS if generated else 1
    for attempt in range(1, attempts + 1):
        candidate = _stamp_new(creation, obj, generated=generated)
        if not candidate["metadata"].get("name"):
            refuse_invalid(resource, candidate, _metadata_errors(resource, candidate))
        try:
            return await _commit_new(creation, candidate, applied=applied)
        except StaleError as error:
            taken = statuses.generated_name_taken if generated else statuses.already_exists
            if attempt == attempts:
                raise taken(resource.plural, resource.group, candidate["metadata"]["name"]) from error
    raise AssertionError("at least one attempt is made")


def _stamp_new(creation: Creation, obj: Object, *, generated: bool) -> Object:
    """A copy with what the server sets: name, uid, times, generation; and without what clients may not set."""
    rules = creation.resource.rules
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _SYSTEM_FIELDS}
    if generated:
        metadata["name"] = generated_name(metadata["generateName"], _RANDOM)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = creation.cluster.timestamp()
    if rules.generation:
        metadata["generation"] = 1
    stamped = {
        "apiVersion": creation.resource.api_version,
        "kind": creation.resource.kind,
        "metadata": metadata,
    }
    own = {*stamped, "status"} if rules.status else set(stamped)
    stamped |= {key: value for key, value in obj.items() if key not in own}
    return stamped


async def _commit_new(creation: Creation, obj: Object, *, applied: bool) -> Stored:
    """Validate and store. Nothing is awaited between admission and the queue of the store, so no namespace slips away."""
    cluster, resource, rules = creation.cluster, creation.resource, creation.resource.rules
    obj = rules.normalise(rules.apply_defaults(obj))
    if not applied:
        _track(cluster, resource, None, obj, creation.options)
    rules.prepare_create(obj, creation.user)
    drop_empty(obj["metadata"])
    errors = _metadata_errors(resource, obj)
    refuse_invalid(resource, obj, [*errors, *rules.validate_create(obj)])
    for admission in cluster.admissions:
        admission.admit_create(resource, obj)
    key = key_of(resource, creation.namespace, obj["metadata"]["name"])
    if creation.options.dry_run:
        if cluster.store.get(key):
            raise StaleError(key.name)
        return Stored(key, 0, obj, encode(obj))
    return await cluster.store.create(key, obj)


def check_revision(call: Call, old: Stored, obj: Object) -> None:
    """Optimistic concurrency: a resourceVersion that is given must be the current one. Raises 409, or 422 without one."""
    given = obj["metadata"].get("resourceVersion") or ""
    if given in ("", "0"):
        if not call.resource.rules.unconditional_update:
            message = "Invalid value: 0x0: must be specified for an update"
            error = FieldError("metadata.resourceVersion", "FieldValueInvalid", message)
            raise statuses.invalid(call.resource.kind, call.resource.group, call.target.name, [error])
    elif given != str(old.revision):
        raise conflict(call.resource, call.target.name)


async def update_object(
    call: Call, old: Stored, new: Object, options: WriteOptions, *, applied: bool = False
) -> Stored:
    """Bring `old` to `new` (pruned, of the same kind), within the lock of its key. Returns `old` itself when nothing changes."""
    resource, rules = call.resource, call.resource.rules
    obj = _stamp_update(old.object, new, call.target.subresource, resource)
    obj = rules.normalise(rules.apply_defaults(obj))
    if not applied:
        _track(call.cluster, resource, old.object, obj, options, call.target.subresource)
    rules.prepare_update(obj, old.object, call.target.subresource)
    drop_empty(obj["metadata"])
    if rules.generation and changes_desired_state(old.object, obj):
        obj["metadata"]["generation"] = old.object["metadata"].get("generation", 0) + 1
    errors = _metadata_errors(resource, obj)
    errors += validate_metadata_update(obj["metadata"], old.object["metadata"])
    refuse_invalid(resource, obj, [*errors, *rules.validate_update(obj, old.object, call.target.subresource)])
    return await commit_update(call.cluster, resource, old, obj, dry_run=options.dry_run)


def build_write(
    cluster: Cluster, resource: Resource, options: WriteOptions, subresource: str = ""
) -> managedfields.Write:
    """This request as managedFields will name it."""
    now = cluster.timestamp()
    return managedfields.Write(options.manager, resource.api_version, now, subresource, resource.rules.status)


def _track(
    cluster: Cluster,
    resource: Resource,
    old: Object | None,
    obj: Object,
    options: WriteOptions,
    subresource: str = "",
) -> None:
    """Note in managedFields what this write changes."""
    write = build_write(cluster, resource, options, subresource)
    schema = resource.rules.schema.document
    obj["metadata"]["managedFields"] = managedfields.track_update(old, obj, write, schema)


def _stamp_update(old: Object, new: Object, subresource: str, resource: Resource) -> Object:
    """Keep from the old object what this endpoint may not change."""
    metadata = dict(new["metadata"])
    if subresource == "status":
        metadata = {**old["metadata"], "managedFields": metadata.get("managedFields")}
        obj = {**old, "metadata": metadata}
        _carry(obj, new, "status")
    else:
        obj = {**new, "metadata": metadata}
        if resource.rules.status:
            _carry(obj, old, "status")
    for name in ("uid", "creationTimestamp"):
        metadata[name] = metadata.get(name) or old["metadata"].get(name)
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion"):
        _carry(metadata, old["metadata"], name)
    if resource.namespaced:
        metadata["namespace"] = old["metadata"]["namespace"]
    metadata.pop("selfLink", None)
    return obj


def _carry(target: dict[str, Any], source: dict[str, Any], name: str) -> None:
    """Make the field what it is in `source`, absent included."""
    if source.get(name) is None:
        target.pop(name, None)
    else:
        target[name] = source[name]


def changes_desired_state(old: Object, new: Object) -> bool:
    """Whether anything but metadata and status differs."""
    own = ("metadata", "status")
    return {k: v for k, v in old.items() if k not in own} != {k: v for k, v in new.items() if k not in own}


async def commit_update(
    cluster: Cluster, resource: Resource, old: Stored, obj: Object, *, dry_run: bool = False
) -> Stored:
    """Write the new state; removes the object when it is being deleted and nothing holds it any more."""
    metadata = obj["metadata"]
    drop_empty(metadata)
    if comparable(obj) == comparable(old.object):
        return old
    ended = bool(metadata.get("deletionTimestamp")) and not resource.rules.held(obj)
    if dry_run:
        return Stored(old.key, old.revision, obj, encode(obj))
    try:
        return await (cluster.store.delete(old, obj) if ended else cluster.store.update(old, obj))
    except StaleError as error:
        raise conflict(resource, old.key.name) from error


def comparable(obj: Object) -> Object:
    """The object without what changes by writing alone: its revision, and the times in managedFields."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    if fields := metadata.get("managedFields"):
        metadata["managedFields"] = [{k: v for k, v in entry.items() if k != "time"} for entry in fields]
    return {**obj, "metadata": metadata}


def drop_empty(metadata: dict[str, Any]) -> None:
    """Empty maps and lists in metadata are absent, as Go writes them."""
    for name in ("labels", "annotations", "finalizers", "ownerReferences", "managedFields", "generateName"):
        if not metadata.get(name):
            metadata.pop(name, None)


def _metadata_errors(resource: Resource, obj: Object) -> list[FieldError]:
    rules = resource.rules
    return validate_metadata(
        obj["metadata"],
        namespaced=resource.namespaced,
        check_name=rules.name_problems,
        qualified_finalizers=rules.qualified_finalizers,
    )


def refuse_invalid(resource: Resource, obj: Object, errors: list[FieldError]) -> None:
    """Raise 422 if there are errors."""
    if errors:
        raise statuses.invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), errors)
