"""The new database, made and filled beside the present one."""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Self

from strongroom.api.errors import StrongroomError
from strongroom.sources.postgres.access import Session
from strongroom.sources.postgres.restoring.contents import Contents, HeadReader
from strongroom.sources.postgres.restoring.facts import (
    DatabaseFacts,
    RoleFacts,
    missing_roles,
    read_database,
    read_role,
)
from strongroom.sources.postgres.restoring.loading import Archive, Feeding, Loading
from strongroom.sources.postgres.restoring.places import Stash
from strongroom.sources.postgres.restoring.quoting import identifier, literal
from strongroom.sources.postgres.restoring.rights import Lending, refuse_lent_rights
from strongroom.sources.postgres.restoring.roles import make_roles
from strongroom.sources.postgres.restoring.targets import Target
from strongroom.sources.reading import Chunk

FORCED_DROP_MAJOR = 13
_MEMORY = """
select pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')),
  pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem'))
"""
_MOST_MEMORY = 1 << 30
_READING_SHARE = 0.5
"""Reading, decrypting and decompressing a dump takes about half of the time that one session takes to load its rows."""


class DatabaseIntake:
    """See Intake. Rows are loaded as they come, unless the dump, laid down beside the programs first, is loaded faster."""

    def __init__(self, target: Target) -> None:
        """Drop what another attempt has left, and begin."""
        self._target = target
        self._opened = ExitStack()
        try:
            with target.open_entry() as session:
                drop_database(session, target.reach.server_major, target.prepared)
            self._stash = self._lay_down()
            self._head = self._opened.enter_context(HeadReader(target.reach.restorer, target.dumped))
        except BaseException:
            self._opened.close()
            raise
        self._feeding: Feeding | None = None
        self._filling: Filling | None = None
        self._is_whole = False

    @property
    def takes_effect_early(self) -> bool:
        """See Intake."""
        return self._stash is None

    def write(self, chunk: Chunk) -> None:
        """See Intake."""
        if self._stash is not None:
            self._stash.write(chunk)
        if self._feeding is not None:
            self._feeding.write(chunk)
        elif not self._head.is_over:
            self._head.write(chunk)
            if self._stash is None and self._head.is_over:
                self._start_feeding()

    def finish(self) -> None:
        """See Intake."""
        if self._stash is not None:
            self._stash.finish()
            filling = self._begin(Archive(path=self._stash.path))
            filling.complete(rows=True)
        else:
            if self._feeding is None:
                self._start_feeding()
            assert self._feeding is not None  # noqa: S101 - just started
            self._feeding.finish()
            assert self._filling is not None  # noqa: S101 - with the feeding
            self._filling.complete(rows=False)
        with self._target.open_entry() as session:
            session.run(
                f"COMMENT ON DATABASE {identifier(self._target.prepared)} IS {literal(self._target.mark)}"
            )
        self._is_whole = True

    def _lay_down(self) -> Stash | None:
        """A place for the dump; None where there is no room, or nothing is gained."""
        target = self._target
        if not gains_by_jobs([table.rows for table in target.file.tables], target.jobs):
            return None
        free = target.reach.place.free_bytes()
        if free is None or free < target.file.artifact.plain_bytes:
            return None
        stash = target.reach.place.stash(target.stash_name("dump"))
        self._opened.callback(stash.remove)
        return stash

    def _start_feeding(self) -> None:
        self._filling = self._begin(self._lay_head_down())
        self._feeding = self._filling.loading.start_rows()
        self._opened.callback(self._feeding.end)
        self._feeding.write(self._head.head)

    def _lay_head_down(self) -> Archive:
        """The beginning alone: all that definitions and indexes need, the latter several at a time from a file."""
        head, place = bytes(self._head.head), self._target.reach.place
        if (place.free_bytes() or 0) < len(head):
            return Archive(head=head)
        stash = place.stash(self._target.stash_name("head"))
        self._opened.callback(stash.remove)
        stash.write(head)
        stash.finish()
        return Archive(path=stash.path)

    def _begin(self, archive: Archive) -> "Filling":
        filling = Filling(self._target, self._head.finish(), archive)
        self._opened.enter_context(filling)
        filling.make_empty()
        filling.define()
        return filling

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """See Intake."""
        self._opened.close()
        if not self._is_whole:
            with suppress(StrongroomError), self._target.open_entry() as session:
                drop_database(session, self._target.reach.server_major, self._target.prepared)


class Filling:
    """A database made empty, defined, and completed when its rows are there. As a context manager it ends its session."""

    def __init__(
        self, target: Target, contents: Contents, archive: Archive, *, database: str | None = None
    ) -> None:
        """Nothing is made yet. `database` is filled, or else the one that is prepared."""
        self._target = target
        self._contents = contents
        self._archive = archive
        self._opened = ExitStack()
        self._lending: Lending | None = None
        with target.open_entry() as session:
            self._role: RoleFacts = read_role(session)
            self._present = read_database(session, target.database) if target.overwrites else None
            self._options = ["--no-tablespaces"] if _lacks_tablespaces(session, contents) else []
        owner = owner_of(target, self._present, self._role)
        self._database = database or target.prepared
        self._is_hastened = False
        self.loading = Loading(
            target.reach, self._role, self._database, owner, target.jobs, tuple(self._options)
        )

    def make_empty(self) -> None:
        """Roles that are missing, and the database."""
        target, owner = self._target, self.loading.owner
        with target.open_entry() as session:
            wanted = {*self._contents.roles, owner}
            make_roles(session, missing_roles(session, wanted), target.roles)
            session.run("set statement_timeout = 0")
            session.run(
                create_statement(
                    self._database, owner, making_of(self._present, self._contents), self._present
                )
            )
            self._hasten(session)

    def _hasten(self, session: Session) -> None:
        """Let indexes be built in more memory than maintenance has: all of the jobs together get what the server's buffers have."""
        ((buffers, present),) = session.rows(_MEMORY)
        wanted = min(int(buffers) // self.loading.jobs, _MOST_MEMORY)
        if wanted > int(present):
            self._is_hastened = True
            setting = f"SET maintenance_work_mem = '{wanted >> 10}kB'"
            session.run(f"ALTER DATABASE {identifier(self._database)} {setting}")

    def define(self) -> None:
        """Its definitions; then rows may come."""
        self.loading.define(self._archive)
        if self._role.is_superuser:
            session = self._opened.enter_context(self._target.reach.open_working(self._database))
            refuse_lent_rights(session, self._contents.later)
            self._lending = Lending(session, self._contents.later)

    def complete(self, *, rows: bool) -> None:
        """Whatever is made of rows, and these themselves where they did not come already; then statistics.

        Settings and privileges of the database are those of the dump where there is no present one to have them from.
        """
        self.loading.complete(self._archive, rows=rows)
        if self._lending is not None:
            self._lending.take_back()
        with self._target.reach.open_working(self._database) as session:
            session.run("ANALYZE")
            if self._is_hastened:
                session.run(f"ALTER DATABASE {identifier(self._database)} RESET maintenance_work_mem")
            if self._present is None and self._role.is_superuser:
                for before, behind in self._contents.properties:
                    session.run(f"{before}{identifier(self._database)}{behind}")

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End its session."""
        self._opened.close()


def gains_by_jobs(rows: Sequence[int], jobs: int) -> bool:
    """Whether several sessions, which cannot begin before the whole dump is at hand, are faster than one that loads meanwhile.

    The largest table is one session's. `rows` are those of each table.
    """
    total = sum(rows)
    if jobs < 2 or total == 0:
        return False
    return _READING_SHARE + max(1 / jobs, max(rows) / total) < 1


def making_of(present: DatabaseFacts | None, contents: Contents) -> Sequence[str]:
    """How to make a database like the present one, or else like the one that was dumped."""
    return contents.making if present is None else present.making


def owner_of(target: Target, present: DatabaseFacts | None, role: RoleFacts) -> str:
    """The present one's owner, or that of the dump. Where there is none, who is no superuser owns it himself."""
    if present is not None:
        return present.owner
    return target.file.owner if target.file.owner and role.is_superuser else target.reach.server.user


def create_statement(name: str, owner: str, making: Sequence[str], present: DatabaseFacts | None) -> str:
    """CREATE DATABASE, out of the template that nobody has changed."""
    tablespace = [] if present is None else [f"TABLESPACE = {identifier(present.tablespace)}"]
    options = [f"OWNER = {identifier(owner)}", "TEMPLATE = template0", *making, *tablespace]
    return f"CREATE DATABASE {identifier(name)} WITH {' '.join(options)}"


def drop_database(session: Session, server_major: int, name: str) -> None:
    """Drop it, whoever is connected. Idempotent."""
    session.run("set statement_timeout = 0")
    if server_major >= FORCED_DROP_MAJOR:
        session.run(f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)")
        return
    session.rows(
        f"select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where datname = {literal(name)}"  # noqa: S608
    )
    session.run(f"DROP DATABASE IF EXISTS {identifier(name)}")


def _lacks_tablespaces(session: Session, contents: Contents) -> bool:
    names = sorted(contents.tablespaces)
    if not names:
        return False
    listed = ", ".join(map(literal, names))
    found = session.rows(f"select spcname from pg_catalog.pg_tablespace where spcname in ({listed})")  # noqa: S608
    return len(found) < len(names)
