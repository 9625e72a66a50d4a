"""Databases of a recovery point, and the servers that they go to."""

from collections.abc import Sequence

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import ManifestFile
from strongroom.api.restoreorder import RestoreOrder
from strongroom.api.sources import PostgresSource
from strongroom.sources.postgres.clients import find_clients
from strongroom.sources.postgres.planning import Owner
from strongroom.sources.postgres.restoring.contents import Contents, HeadReader
from strongroom.sources.postgres.restoring.databases import DatabaseRestoration
from strongroom.sources.postgres.restoring.overwriting import OverwritingRestoration
from strongroom.sources.postgres.restoring.planning import plan_contents
from strongroom.sources.postgres.restoring.reaching import Means, Reach, reach_server
from strongroom.sources.postgres.restoring.roles import KnownRoles
from strongroom.sources.postgres.restoring.targets import Target
from strongroom.sources.restoration import Restoration
from strongroom.worker.restoring.confirming import may_replace
from strongroom.worker.restoring.jobs import choose_jobs
from strongroom.worker.restoring.reading import Shelf
from strongroom.worker.task import Task

_GLOBALS_BYTES = 64 << 20


class Servers:
    """Each server is reached once, and its globals are read once."""

    def __init__(self, task: Task, order: RestoreOrder, shelf: Shelf, files: Sequence[ManifestFile]) -> None:
        """Nothing is reached yet."""
        self._order = order
        self._shelf = shelf
        self._files = files
        self._request_uid = task.order.run_uid
        self._means = build_means(task, order.choice.policy)
        self._reached: dict[tuple[str, str | None], Reach] = {}
        self._roles: dict[tuple[str, str | None], KnownRoles] = {}

    def build(self, file: ManifestFile) -> Restoration:
        """The restoration of one database."""
        target = self.target(file)
        if self._order.strategy == "Swap":
            return DatabaseRestoration(target)
        return OverwritingRestoration(target, self._order.strategy)

    def target(self, file: ManifestFile) -> Target:
        """Where that database goes."""
        order, artifact = self._order, file.artifact
        new = order.mode == "NewDatabase"
        return Target(
            reach=self._reach(file),
            file=file,
            database=(order.database if new else artifact.database) or "",
            request=order.request,
            request_uid=self._request_uid,
            overwrites=not new,
            jobs=choose_jobs(order.jobs),
            roles=self._known_roles(file),
            replaces=not new and may_replace(order, file),
        )

    def tell(self, file: ManifestFile) -> list[str]:
        """What the beginning of its archive adds to the plan."""
        target = self.target(file)
        return plan_contents(target, read_contents(self._shelf, target.reach, file))

    def _reach(self, file: ManifestFile) -> Reach:
        source, container = file.artifact.source, file.artifact.container
        if (source, container) not in self._reached:
            postgres = self._postgres(source)
            self._reached[source, container] = reach_server(
                self._means,
                source,
                postgres,
                dumped_by=file.artifact.client_version,
                container=container if postgres.labelled else None,
            )
        return self._reached[source, container]

    def _postgres(self, name: str) -> PostgresSource:
        for source in self._order.targets:
            if source.name == name and source.postgres is not None:
                return source.postgres
        raise StrongroomError(
            Reason.TargetMissing,
            f"source {name}: the policy has no such PostgreSQL source any more; name a server (target.postgres)",
        )

    def _known_roles(self, file: ManifestFile) -> KnownRoles:
        key = file.artifact.source, file.artifact.container
        if not self._shelf.has_copies:
            return KnownRoles("")  # nothing is made any more
        if key not in self._roles:
            known = [
                self._shelf.read_text(each, _GLOBALS_BYTES)
                for each in self._files
                if each.artifact.kind == "globals" and (each.artifact.source, each.artifact.container) == key
            ]
            self._roles[key] = KnownRoles("\n".join(known))
        return self._roles[key]


def build_means(task: Task, policy: str) -> Means:
    """What of this worker's own reaches servers."""
    return Means(
        read_secret=task.secrets.read,
        scratch=task.scratch,
        clients=find_clients(task.client_folders),
        engine=task.engine,
        owner=Owner(task.order.namespace, policy, task.order.run_uid),
    )


def read_contents(shelf: Shelf, reach: Reach, file: ManifestFile) -> Contents:
    """What an archive will make, from its beginning. Nothing is proved of it yet."""
    return shelf.read_head(file, lambda: HeadReader(reach.restorer, file.artifact.database or ""))
