"""Databases of a recovery point, each restored into a throw-away server of the major that it was dumped from."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from strongroom.api.drills import DrillApplication
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import ManifestFile
from strongroom.api.restoreorder import DrillOrder
from strongroom.api.restoring import CheckResult
from strongroom.sources.postgres.restoring.contents import Contents
from strongroom.sources.postgres.restoring.databases import DatabaseRestoration
from strongroom.sources.postgres.restoring.facts import missing_extensions
from strongroom.sources.postgres.restoring.preparing import create_statement, drop_database
from strongroom.sources.postgres.restoring.reaching import Reach, major_of
from strongroom.sources.postgres.restoring.roles import KnownRoles
from strongroom.sources.postgres.restoring.targets import Target
from strongroom.sources.postgres.throwaway.queries import Queries
from strongroom.sources.postgres.throwaway.servers import ThrowAway, Wanted, could_not
from strongroom.worker.drilling.applications import check_application
from strongroom.worker.drilling.environments import is_in_container, open_server
from strongroom.worker.restoring.databases import read_contents
from strongroom.worker.restoring.jobs import choose_jobs
from strongroom.worker.restoring.reading import Shelf
from strongroom.worker.restoring.steps import Steps
from strongroom.worker.task import Task

_GLOBALS_BYTES = 64 << 20
_GROWTH = 1.3
"""A database takes about so much more room than its dump."""
_PROBE = "strongroom probe"
_SERVERS_FAULT = {Reason.RestoreFailed, Reason.PermissionDenied}
Key = tuple[str, str | None]


class DatabaseDrill:
    """Servers are started when they are first needed, and end with `opened`."""

    def __init__(
        self,
        task: Task,
        order: DrillOrder,
        shelf: Shelf,
        files: Sequence[ManifestFile],
        steps: Steps,
        opened: ExitStack,
    ) -> None:
        """Nothing is started yet. InvalidSpec for checks and an application of which it is not clear what they are run on."""
        self._task = task
        self._order = order
        self._shelf = shelf
        self._files = [file for file in files if file.artifact.kind in {"database", "globals"}]
        self._steps = steps
        self._opened = opened
        self._servers: dict[Key, ThrowAway] = {}
        self._roles: dict[Key, KnownRoles] = {}
        self._restored: dict[str, ThrowAway] = {}
        self._databases = {file.artifact.database: None for file in self._files if file.artifact.database}
        self._refuse_vague_checks()
        self._refuse_lonely_application()

    def restore(self, file: ManifestFile) -> list[CheckResult]:
        """What was compared. Raises whose fault it is that it is not there."""
        server = self._server(file)
        target = self._target(server, file)
        restoration = DatabaseRestoration(target)
        where = file.artifact.source, file.artifact.database
        try:
            self._shelf.read_into(
                file,
                restoration.prepare,
                fetching=lambda: self._steps.step("Fetch", *where),
                restoring=lambda: self._steps.step("Restore", *where),
            )
        except StrongroomError as error:
            if error.reason in _SERVERS_FAULT:
                self._refuse_lacking_server(target, file, error)
            raise
        with self._steps.step("Compare", *where):
            checks = list(restoration.compare())
            restoration.swap()
        self._restored[target.database] = server
        return [replace_name(check, target.database) for check in checks]

    def read_roles(self, source: str, container: str | None) -> KnownRoles:
        """What the globals tell; nothing where there are none."""
        key = source, container
        if key not in self._roles:
            texts = [
                self._shelf.read_text(file, _GLOBALS_BYTES)
                for file in self._files
                if file.artifact.kind == "globals" and (file.artifact.source, file.artifact.container) == key
            ]
            self._roles[key] = KnownRoles("\n".join(texts))
        return self._roles[key]

    def run_checks(self) -> list[CheckResult]:
        """All of the order's queries."""
        return list(self._checks())

    def _checks(self) -> Iterator[CheckResult]:
        queries: dict[str, Queries] = {}
        for check in self._order.checks:
            database = check.database or next(iter(self._databases), "")
            server = self._restored.get(database)
            if server is None:
                words = f'no database "{database}" in the backup'
                yield CheckResult(name=f"check {check.name}", passed=False, expected=None, found=words[:256])
                continue
            self._task.progress.enter("Compare", None, database)
            if database not in queries:
                queries[database] = Queries(server)
            yield queries[database].run(check, database)

    def check_application(self, application: DrillApplication) -> CheckResult:
        """How it is on its database."""
        server = self._restored[application.database or ""]
        self._task.progress.enter("HealthCheck", None, application.database)
        return check_application(self._task.engine(), application, server)

    def _server(self, file: ManifestFile) -> ThrowAway:
        key = file.artifact.source, file.artifact.container
        if key not in self._servers:
            wanted = self._wanted(file)
            self._task.progress.enter("Connect", file.artifact.source)
            server = self._opened.enter_context(open_server(self._task, self._order, wanted, key[1]))
            self._refuse_lack(server, key)
            self._servers[key] = server
        return self._servers[key]

    def _wanted(self, file: ManifestFile) -> Wanted:
        artifact = file.artifact
        major = major_of(artifact.server_version)
        if major == 0:
            raise could_not(f"the manifest does not tell which PostgreSQL {artifact.file} was dumped from")
        return Wanted(
            name=str(len(self._servers)),
            source=artifact.source,
            major=major,
            dump_major=major_of(artifact.client_version),
            memory_bytes=self._order.memory_bytes,
        )

    def _refuse_lack(self, server: ThrowAway, key: Key) -> None:
        """NotEnoughSpace, with the numbers."""
        plain = [
            f.artifact.plain_bytes for f in self._files if (f.artifact.source, f.artifact.container) == key
        ]
        needed, free = int(sum(plain) * _GROWTH), server.free_bytes()
        if free is not None and free < needed:
            raise StrongroomError(
                Reason.NotEnoughSpace,
                f"source {key[0]}: the throw-away server needs about {needed} bytes, and {free} are free",
            )

    def _target(self, server: ThrowAway, file: ManifestFile) -> Target:
        free, plain = server.free_bytes(), file.artifact.plain_bytes
        # The dump, laid down for several readers, must leave the database its room.
        has_room = free is None or free > plain * (1 + _GROWTH)
        return Target(
            reach=server.reach,
            file=file,
            database=file.artifact.database or "",
            request="drill",
            request_uid=self._task.order.run_uid,
            overwrites=False,
            replaces=True,  # a new server has a database of its own
            jobs=choose_jobs(self._order.jobs) if has_room else 1,
            roles=self.read_roles(file.artifact.source, file.artifact.container),
        )

    def _refuse_lacking_server(self, target: Target, file: ManifestFile, error: StrongroomError) -> None:
        """The bytes were good. Raise what the server lacks, if it is that: an extension, or a locale."""
        contents = read_contents(self._shelf, target.reach, file)
        with target.open_entry() as session:
            lacking = missing_extensions(session, contents.extensions)
        if lacking:
            words = (
                f"source {file.artifact.source}: the throw-away server has no extension {', '.join(lacking)}"
            )
            raise StrongroomError(Reason.ExtensionMissing, words) from error
        _refuse_other_locale(target.reach, contents)

    def _refuse_lonely_application(self) -> None:
        """An application needs one database, and a container beside which it can be started."""
        application = self._order.application
        if application is None:
            return
        name = application.database
        holders = [file.artifact.source for file in self._files if file.artifact.database == name]
        if name is None or len(holders) != 1:
            words = (
                f'"{name}" is that of {len(holders)} sources' if name else "the policy names none or several"
            )
            raise StrongroomError(
                Reason.InvalidSpec,
                f"spec.drill.application.database: name one database of the backup (spec.drill.sources chooses sources): {words}",
            )
        if not is_in_container(self._order, holders[0]):
            words = f"the throw-away server of source {holders[0]} is made of the host's own programs, outside of any container"
            raise StrongroomError(
                Reason.Unsupported, f"spec.drill.application: {words}: set spec.drill.image"
            )

    def _refuse_vague_checks(self) -> None:
        vague = [check.name for check in self._order.checks if check.database is None]
        if vague and len(self._databases) > 1:
            names = ", ".join(map(str, self._databases))
            raise StrongroomError(
                Reason.InvalidSpec,
                f"spec.drill.checks: {vague[0]}: name its database, the backup has several: {names}",
            )


def replace_name(check: CheckResult, database: str) -> CheckResult:
    """With the database's name in it."""
    return check.model_copy(update={"name": f"{database}: {check.name}"[:253]})


def _refuse_other_locale(reach: Reach, contents: Contents) -> None:
    """DrillCouldNotRun if a database like the dumped one cannot even be made empty."""
    with reach.open_entry() as session:
        drop_database(session, reach.server_major, _PROBE)
    try:
        with reach.open_entry() as session:
            session.run(create_statement(_PROBE, reach.server.user, contents.making, None))
    except StrongroomError as error:
        if error.reason is not Reason.RestoreFailed:
            raise
        raise could_not(f"the throw-away server cannot make such a database: {error.message}") from error
    with reach.open_entry() as session:
        drop_database(session, reach.server_major, _PROBE)
