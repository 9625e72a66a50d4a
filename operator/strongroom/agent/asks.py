"""What a work order asks of this host: stores, buckets, paths, volumes, containers, projects. Pure; nothing is looked up.

`what` names object and field, as the refusal will say it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from strongroom.api.containers import ContainerSelector
from strongroom.api.hooks import Hooks
from strongroom.api.sources import Source
from strongroom.api.workorder import WorkOrder
from strongroom.engine.inspection import Inspected

Use = Literal["dump", "read", "control", "command"]


@dataclass(frozen=True)
class StoreAsk:
    """A local store is written to."""

    what: str
    path: str


@dataclass(frozen=True)
class BucketAsk:
    """A bucket is written to, perhaps with the credentials of the host itself."""

    what: str
    address: str
    own_credentials: bool


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
    """Programs are run in a container (dump, read, command), or it is stopped or paused (control)."""

    what: str
    use: Use
    selector: ContainerSelector | None
    """None: every container with the policy's label."""
    path: str | None = None
    """With `read`: the path inside of it."""

    def runs_programs(self, each: Inspected) -> bool:
        """Whether programs are started in that container. What lies on a mount is read without its help."""
        return self.use != "control" and (self.path is None or each.mount_of(self.path) is None)


Ask = StoreAsk | BucketAsk | PathAsk | VolumeAsk | ProjectAsk | ContainerAsk


def list_asks(order: WorkOrder) -> list[Ask]:
    """All of it, in the order's order."""
    return [*_stores(order), *_backup(order)]


def _stores(order: WorkOrder) -> Iterator[Ask]:
    for store in order.stores:
        spec, what = store.spec, f"BackupStore {order.namespace}/{store.name}: spec"
        if spec.local is not None:
            yield StoreAsk(f"{what}.local.path", spec.local.path)
        if spec.s3 is not None:
            yield BucketAsk(f"{what}.s3", spec.s3.address, spec.s3.access_key_secret is None)


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


def _hooks(what: str, hooks: Hooks) -> Iterator[Ask]:
    for name, selectors in (("stop", hooks.stop), ("pause", hooks.pause)):
        for index, selector in enumerate(selectors):
            yield ContainerAsk(f"{what}.{name}[{index}]", "control", selector)
    commands = (("before", hooks.before), ("after", hooks.after), ("onFailure", hooks.on_failure))
    for name, listed in commands:
        for index, command in enumerate(listed):
            yield ContainerAsk(f"{what}.{name}[{index}].container", "command", command.container)
