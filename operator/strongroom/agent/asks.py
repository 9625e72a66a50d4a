"""What a work order asks of this host: stores, buckets, servers, paths, volumes, containers, projects, URLs. Pure; nothing is looked up.

`what` names object and field, as the refusal will say it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from strongroom.api.containers import ContainerSelector
from strongroom.api.hooks import Hooks
from strongroom.api.restoreorder import DrillOrder, RestoreOrder
from strongroom.api.sources import Source
from strongroom.api.workorder import WorkOrder
from strongroom.engine.inspection import Inspected

Use = Literal["dump", "read", "control", "command", "look", "restore"]
_READING = frozenset(["Catalogue", "PlanRestore", "Restore", "Drill"])
"""Kinds that write nothing to their stores."""


@dataclass(frozen=True)
class StoreAsk:
    """A local store is read, and written to unless `writes` is false."""

    what: str
    path: str
    writes: bool = True


@dataclass(frozen=True)
class BucketAsk:
    """A bucket is read or written to, perhaps with the credentials of the host itself."""

    what: str
    address: str
    own_credentials: bool


@dataclass(frozen=True)
class ServerAsk:
    """A folder on an SSH server is written to, with credentials from a Secret."""

    what: str
    address: str


@dataclass(frozen=True)
class PathAsk:
    """A file or folder of the host is read."""

    what: str
    path: str


@dataclass(frozen=True)
class VolumeAsk:
    """A named volume is read."""

    what: str
    name: str


@dataclass(frozen=True)
class ProjectAsk:
    """The configuration of a compose project is read."""

    what: str
    project: str


@dataclass(frozen=True)
class ContainerAsk:
    """Programs are run in a container (dump, read, command), it is stopped or paused (control), or just looked at (look).

    `restore`: its files at `path` are replaced, where they are on a mount. Databases are restored by programs: `dump`.
    """

    what: str
    use: Use
    selector: ContainerSelector | None
    """None: every container with the policy's label."""
    path: str | None = None
    """With `read` and `restore`: the path inside of it."""
    writes: bool = False
    """With `restore`: whether more is done than to look."""

    def runs_programs(self, each: Inspected) -> bool:
        """Whether programs are started in that container. What lies on a mount is read without its help."""
        if self.use in {"control", "look", "restore"}:
            return False
        return self.path is None or each.mount_of(self.path) is None


@dataclass(frozen=True)
class RestorePathAsk:
    """A file or folder of the host is replaced or made; without `writes` it is looked at whether it can be."""

    what: str
    path: str
    writes: bool


@dataclass(frozen=True)
class RestoreVolumeAsk:
    """What is in a named volume is replaced; without `writes` it is looked at whether it can be."""

    what: str
    name: str
    writes: bool


@dataclass(frozen=True)
class RestoreProjectAsk:
    """The configuration of a compose project is replaced; without `writes` it is looked at whether it can be."""

    what: str
    project: str
    writes: bool


@dataclass(frozen=True)
class UrlAsk:
    """A URL is fetched, to see whether an application works."""

    what: str
    url: str


@dataclass(frozen=True)
class DrillImageAsk:
    """A throw-away container is started from an image."""

    what: str
    image: str


RestoreAsk = RestorePathAsk | RestoreVolumeAsk | RestoreProjectAsk
Ask = (
    StoreAsk
    | BucketAsk
    | ServerAsk
    | PathAsk
    | VolumeAsk
    | ProjectAsk
    | ContainerAsk
    | RestoreAsk
    | UrlAsk
    | DrillImageAsk
)


def list_asks(order: WorkOrder) -> list[Ask]:
    """All of it, in the order's order."""
    return [*_stores(order), *_backup(order), *_restore(order), *_drop(order), *_drill(order)]


def _stores(order: WorkOrder) -> Iterator[Ask]:
    if order.kind == "DropReplaced":
        return
    for store in order.stores:
        spec, what = store.spec, f"BackupStore {order.namespace}/{store.name}: spec"
        if spec.local is not None:
            yield StoreAsk(f"{what}.local.path", spec.local.path, order.kind not in _READING)
        if spec.s3 is not None:
            yield BucketAsk(f"{what}.s3", spec.s3.address, spec.s3.access_key_secret is None)
        for kind, server in (("sftp", spec.sftp), ("rsync", spec.rsync)):
            if server is not None:
                yield ServerAsk(f"{what}.{kind}", server.address)


def _backup(order: WorkOrder) -> Iterator[Ask]:
    if order.backup is None:
        return
    policy = f"BackupPolicy {order.namespace}/{order.backup.policy}: spec"
    if order.backup.hooks is not None:
        yield from _hooks(f"{policy}.hooks", order.backup.hooks)
    for index, source in enumerate(order.backup.sources):
        yield from _source(f"{policy}.sources[{index}]", source)


def _source(what: str, source: Source) -> Iterator[Ask]:
    if source.postgres is not None and source.postgres.host is None:
        by = "labelled" if source.postgres.labelled else "container"
        yield ContainerAsk(f"{what}.postgres.{by}", "dump", source.postgres.container)
    if source.files is not None:
        files = source.files
        if files.volume is not None:
            yield VolumeAsk(f"{what}.files.volume", files.volume)
        if files.path is not None:
            yield PathAsk(f"{what}.files.path", files.path)
        if files.in_container is not None:
            place = files.in_container
            yield ContainerAsk(f"{what}.files.inContainer", "read", place.container, place.path)
    if source.config is not None:
        if source.config.project is not None:
            yield ProjectAsk(f"{what}.config.project", source.config.project)
        yield from (PathAsk(f"{what}.config.paths[{n}]", path) for n, path in enumerate(source.config.paths))
    if source.hooks is not None:
        yield from _hooks(f"{what}.hooks", source.hooks)


def _restore(order: WorkOrder) -> Iterator[Ask]:
    restore = order.restore
    if restore is None:
        return
    request, writes = f"RestoreRequest {order.namespace}/{restore.request}", order.kind == "Restore"
    for source in restore.touched:
        yield from _target(f"{request}: source {source.name}", source, writes=writes)
    if restore.path is not None:
        yield RestorePathAsk(f"{request}: spec.target.path", restore.path, writes)
    if restore.volume is not None:
        yield RestoreVolumeAsk(f"{request}: spec.target.volume", restore.volume, writes)
    yield from _around(request, restore, writes=writes)


def _around(request: str, restore: RestoreOrder, *, writes: bool) -> Iterator[Ask]:
    """Services, and what is checked when they run again."""
    for index, selector in enumerate(restore.hooks.stop if restore.hooks is not None else ()):
        yield ContainerAsk(
            f"{request}: spec.stopServices[{index}]", "control" if writes else "look", selector
        )
    check = restore.health_check
    if check is not None and check.url is not None:
        yield UrlAsk(f"{request}: spec.healthCheck.url", check.url)
    if check is not None and check.exec is not None:
        yield ContainerAsk(f"{request}: spec.healthCheck.exec.container", "command", check.exec.container)


def _drop(order: WorkOrder) -> Iterator[Ask]:
    if order.drop is not None:
        request = f"RestoreRequest {order.namespace}/{order.drop.request}"
        for source in order.drop.targets:
            yield from _target(f"{request}: source {source.name}", source, writes=True)


def _target(what: str, source: Source, *, writes: bool) -> Iterator[Ask]:
    """What a source was read from, as the place that its backup is restored to."""
    if source.postgres is not None and source.postgres.host is None:
        by = "labelled" if source.postgres.labelled else "container"
        yield ContainerAsk(f"{what}: postgres.{by}", "dump", source.postgres.container)
    if source.files is not None:
        files = source.files
        if files.volume is not None:
            yield RestoreVolumeAsk(f"{what}: files.volume", files.volume, writes)
        if files.path is not None:
            yield RestorePathAsk(f"{what}: files.path", files.path, writes)
        if (place := files.in_container) is not None:
            yield ContainerAsk(f"{what}: files.inContainer", "restore", place.container, place.path, writes)
    if source.config is not None:
        if source.config.project is not None:
            yield RestoreProjectAsk(f"{what}: config.project", source.config.project, writes)
        for index, path in enumerate(source.config.paths):
            yield RestorePathAsk(f"{what}: config.paths[{index}]", path, writes)


def _drill(order: WorkOrder) -> Iterator[Ask]:
    drill: DrillOrder | None = order.drill
    if drill is None:
        return
    policy = f"BackupPolicy {order.namespace}/{drill.choice.policy}: spec"
    if drill.image is not None:
        yield DrillImageAsk(f"{policy}.drill.image", drill.image)
    if drill.application is not None:
        yield DrillImageAsk(f"{policy}.drill.application.image", drill.application.image)
    for source in drill.targets:
        if source.postgres is not None and source.postgres.host is None:
            yield ContainerAsk(f"{policy}.sources: {source.name}", "look", source.postgres.container)


def _hooks(what: str, hooks: Hooks) -> Iterator[Ask]:
    for name, selectors in (("stop", hooks.stop), ("pause", hooks.pause)):
        for index, selector in enumerate(selectors):
            yield ContainerAsk(f"{what}.{name}[{index}]", "control", selector)
    commands = (("before", hooks.before), ("after", hooks.after), ("onFailure", hooks.on_failure))
    for name, listed in commands:
        for index, command in enumerate(listed):
            yield ContainerAsk(f"{what}.{name}[{index}].container", "command", command.container)
