"""Objects as the API gives them, parsed: metadata, spec and status with types; and errors that name object and field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import Field, ValidationError

from strongroom.api.backuppolicy import BackupPolicySpec, BackupPolicyStatus
from strongroom.api.backuprun import BackupRunSpec, BackupRunStatus
from strongroom.api.backupstore import BackupStoreSpec, BackupStoreStatus
from strongroom.api.dockerhost import DockerHostSpec, DockerHostStatus
from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.fields import Fields, Time
from strongroom.api.kinds import BACKUP_POLICY, BACKUP_RUN, BACKUP_STORE, DOCKER_HOST, RESTORE_REQUEST, Kind
from strongroom.api.restorerequest import RestoreRequestSpec, RestoreRequestStatus
from strongroom.api.unknownfields import find_unknown

Spec = TypeVar("Spec", bound=Fields)
Status = TypeVar("Status", bound=Fields)


class OwnerReference(Fields):
    """The object that another one belongs to."""

    api_version: str = Field(description="apiVersion of the owner.")
    kind: str = Field(description="Kind of the owner.")
    name: str = Field(description="Name of the owner.")
    uid: str = Field(description="uid of the owner.")
    controller: bool = Field(default=False, description="Whether the owner manages the object.")
    block_owner_deletion: bool = Field(
        default=False, description="Whether a foreground deletion of the owner waits for it."
    )


class ObjectMeta(Fields):
    """What Strongroom reads of an object's metadata."""

    name: str = Field(description="Name of the object.")
    namespace: str = Field(default="", description="Namespace, empty for a cluster-wide object.")
    uid: str = Field(default="", description="Identity of this incarnation of the object.")
    generation: int = Field(default=0, description="Counts changes of the spec.")
    resource_version: str = Field(default="", description="Version for optimistic concurrency.")
    creation_timestamp: Time | None = Field(default=None, description="When it was created.")
    deletion_timestamp: Time | None = Field(default=None, description="When its deletion was asked for.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations.")
    finalizers: list[str] = Field(default_factory=list, description="Finalizers.")
    owner_references: list[OwnerReference] = Field(default_factory=list, description="Owners.")


@dataclass(frozen=True)
class Resource(Generic[Spec, Status]):
    """One custom resource, parsed."""

    kind: Kind
    meta: ObjectMeta
    spec: Spec
    status: Status
    unknown: tuple[str, ...] = ()
    """Fields of the spec that this version does not know: what they ask for cannot be done."""

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.meta.namespace, self.meta.name


BackupPolicy = Resource[BackupPolicySpec, BackupPolicyStatus]
BackupRun = Resource[BackupRunSpec, BackupRunStatus]
BackupStore = Resource[BackupStoreSpec, BackupStoreStatus]
DockerHost = Resource[DockerHostSpec, DockerHostStatus]
RestoreRequest = Resource[RestoreRequestSpec, RestoreRequestStatus]


def parse_policy(body: Mapping[str, Any]) -> BackupPolicy:
    """A BackupPolicy; raises StrongroomError InvalidSpec that names object and field."""
    return _parse(body, BACKUP_POLICY, BackupPolicySpec, BackupPolicyStatus)


def parse_run(body: Mapping[str, Any]) -> BackupRun:
    """A BackupRun; raises StrongroomError InvalidSpec that names object and field."""
    return _parse(body, BACKUP_RUN, BackupRunSpec, BackupRunStatus)


def parse_store(body: Mapping[str, Any]) -> BackupStore:
    """A BackupStore; raises StrongroomError InvalidSpec that names object and field."""
    return _parse(body, BACKUP_STORE, BackupStoreSpec, BackupStoreStatus)


def parse_host(body: Mapping[str, Any]) -> DockerHost:
    """A DockerHost; raises StrongroomError InvalidSpec that names object and field."""
    return _parse(body, DOCKER_HOST, DockerHostSpec, DockerHostStatus)


def parse_restore(body: Mapping[str, Any]) -> RestoreRequest:
    """A RestoreRequest; raises StrongroomError InvalidSpec that names object and field."""
    return _parse(body, RESTORE_REQUEST, RestoreRequestSpec, RestoreRequestStatus)


def _parse(
    body: Mapping[str, Any], kind: Kind, spec: type[Spec], status: type[Status]
) -> Resource[Spec, Status]:
    meta = ObjectMeta.model_validate(body["metadata"])
    try:
        parsed = spec.model_validate(body.get("spec") or {})
    except ValidationError as error:
        raise StrongroomError(
            Reason.InvalidSpec, f"{kind.kind} {meta.name}: {describe(error, 'spec')}"
        ) from error
    parsed_status = _parse_status(body.get("status"), kind, meta.name, status)
    return Resource(kind, meta, parsed, parsed_status, find_unknown(spec, body.get("spec")))


def _parse_status(value: Any, kind: Kind, name: str, status: type[Status]) -> Status:
    """The status; one that does not parse is an error, because an empty one in its place would repeat finished work."""
    try:
        return status.model_validate(value or {})
    except ValidationError as error:
        raise StrongroomError(
            Reason.InternalError, f"{kind.kind} {name}: {describe(error, 'status')}"
        ) from error


def describe(error: ValidationError, root: str, most: int = 3) -> str:
    """The first faults as `spec.sources[0].postgres.port: Input should be …`, joined by semicolons; values are not shown."""
    faults = [
        f"{_path(root, fault['loc'])}: {excerpt(fault['msg'].removeprefix('Value error, '))}"
        for fault in error.errors(include_input=False)[:most]
    ]
    more = error.error_count() - len(faults)
    return "; ".join(faults) + (f"; and {more} more" if more > 0 else "")


def _path(root: str, location: tuple[int | str, ...]) -> str:
    return root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
