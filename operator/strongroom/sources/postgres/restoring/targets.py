"""One database on its way back: what it was, what it becomes, and the names meanwhile."""

from dataclasses import dataclass
from typing import Literal

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.manifest import ManifestFile
from strongroom.sources.postgres.access import Session
from strongroom.sources.postgres.restoring.naming import name_prepared, name_replaced
from strongroom.sources.postgres.restoring.quoting import literal
from strongroom.sources.postgres.restoring.reaching import Reach
from strongroom.sources.postgres.restoring.roles import KnownRoles
from strongroom.sources.restoration import UNFORESEEN

_COMMENTS = """
select d.datname, coalesce(pg_catalog.shobj_description(d.oid, 'pg_database'), '')
from pg_catalog.pg_database d where d.datname in ({names})
"""


@dataclass(frozen=True)
class Target:
    """What is restored, and to which name.

    `overwrites`: whether a database of that name may be there; `replaces`: whether one that is there may be replaced, because it
    was there when it was planned, and is confirmed.
    """

    reach: Reach
    file: ManifestFile
    database: str
    request: str
    request_uid: str
    overwrites: bool
    jobs: int
    roles: KnownRoles
    replaces: bool = False

    @property
    def prepared(self) -> str:
        """The database made beside it."""
        return name_prepared(self.database, self.request_uid)

    @property
    def replaced(self) -> str:
        """What the present one is called afterwards."""
        return name_replaced(self.database, self.request_uid)

    def stash_name(self, suffix: Literal["dump", "head"]) -> str:
        """Name of the file that the dump, or its beginning, is laid into beside the programs."""
        return f"strongroom-{self.prepared.rpartition('_')[2]}.{suffix}"

    def remove_stashes(self) -> None:
        """Whatever a worker that was killed has left of these."""
        self.reach.place.remove_stashes([self.stash_name("dump"), self.stash_name("head")])

    @property
    def mark(self) -> str:
        """Comment of a prepared database that is whole: of this very dump."""
        return f"strongroom: whole, for request {self.request_uid}, {self.file.artifact.plain_sha256}"

    @property
    def mark_alone(self) -> str:
        """Comment of a restored database that has replaced none."""
        return f"restored by Strongroom, request {self.request}, {self.request_uid}, {self.file.artifact.plain_sha256[:16]}"

    @property
    def dumped(self) -> str:
        """Name of the database that was dumped."""
        return self.file.artifact.database or self.database

    def look(self, session: Session) -> dict[str, str]:
        """Those of its three names that are there, each with its comment."""
        names = ", ".join(literal(name) for name in (self.database, self.prepared, self.replaced))
        return {str(name): str(comment) for name, comment in session.rows(_COMMENTS.format(names=names))}

    def refuse_newcomer(self) -> None:
        """Raise TargetExists: a database has taken the name since it was planned."""
        way = UNFORESEEN if self.overwrites else "(target.database)"
        what = f'source {self.file.artifact.source}: database "{self.database}"'
        raise StrongroomError(Reason.TargetExists, f"{what} was made meanwhile {way}")

    def open_entry(self) -> Session:
        """A session in a database that is none of these."""
        return self.reach.open_entry(self.database, self.prepared, self.replaced)
