"""A database restored over the present one (Clean), or in its place after that was dropped (DropAndCreate).

For those who lack the room or the right to make a second one. The dump is known good before anything is touched; from then on
nothing but the safety backup leads back. Clean is one transaction: if the archive does not fit, the present one stays.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal, Self

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoring import CheckResult, PlannedItem, Replaced
from strongroom.sources.postgres.access import Session
from strongroom.sources.postgres.restoring.comparing import compare_database
from strongroom.sources.postgres.restoring.contents import Contents, HeadReader
from strongroom.sources.postgres.restoring.facts import read_database, read_role
from strongroom.sources.postgres.restoring.loading import Archive, Loading
from strongroom.sources.postgres.restoring.places import Stash
from strongroom.sources.postgres.restoring.planning import plan_database
from strongroom.sources.postgres.restoring.preparing import Filling, drop_database
from strongroom.sources.postgres.restoring.properties import carry_statements
from strongroom.sources.postgres.restoring.quoting import identifier
from strongroom.sources.postgres.restoring.rights import Creation, Lending, recall_lent, take_back_lent
from strongroom.sources.postgres.restoring.swapping import rename_alone
from strongroom.sources.postgres.restoring.targets import Target
from strongroom.sources.reading import Chunk
from strongroom.sources.restoration import State


@dataclass
class _Laid:
    """The dump, once it is at hand."""

    stash: Stash | None = None
    contents: Contents = field(default_factory=Contents)


@dataclass(frozen=True)
class OverwritingRestoration:
    """See Restoration. What is prepared is the dump, beside the programs; it lasts as long as this process."""

    target: Target
    strategy: Literal["Clean", "DropAndCreate"]
    laid: _Laid = field(default_factory=_Laid)

    def plan(self) -> PlannedItem:
        """See Restoration."""
        return plan_database(self.target, beside=False)

    def find_state(self) -> State:
        """See Restoration. It is never swapped: whoever comes next does all of it again."""
        return State.Untouched if self.laid.stash is None else State.Prepared

    def prepare(self) -> "DumpIntake":
        """See Restoration."""
        return DumpIntake(self.target, self.laid)

    def compare(self) -> Iterator[CheckResult]:
        """See Restoration: after `swap`."""
        with self.target.reach.open_working(self.target.database) as session:
            yield from compare_database(session, self.target.file)

    def refuse_unforeseen(self) -> None:
        """See Restoration. Whoever goes on where another one was ended finds what that one has made, and does not ask."""
        target = self.target
        with target.open_entry() as session:
            if target.database in target.look(session) and not target.replaces:
                target.refuse_newcomer()

    def swap(self) -> Replaced | None:
        """See Restoration; but the old is gone after that, and in the midst of it there may be none."""
        if self.laid.stash is None:
            raise StrongroomError(Reason.RestoreFailed, "the dump is not at hand any more")
        archive = Archive(path=self.laid.stash.path)
        if self.strategy == "Clean":
            self._clean(archive)
        else:
            self._make_anew(archive)
        return None

    def conclude(self) -> None:
        """See Restoration: the dump."""
        self._remove_dump()

    def differences(self) -> Sequence[str]:
        """See Restoration."""
        return ()

    def swap_back(self) -> None:
        """See Restoration: there is no way back, and nothing that `find_state` would call exchanged."""

    def discard(self) -> None:
        """See Restoration: the dump, and what a worker that was killed has lent and not taken back."""
        self._remove_dump()
        with self.target.open_entry() as session:
            lent = recall_lent(session, self.target.database)
        if lent:
            with self.target.reach.open_working(self.target.database) as session:
                take_back_lent(session, self.target.database, lent)

    def _remove_dump(self) -> None:
        if self.laid.stash is not None:
            self.laid.stash.remove()
            self.laid.stash = None
        self.target.remove_stashes()

    def drop(self, replaced: Replaced) -> None:
        """See Restoration: nothing is ever kept."""
        raise StrongroomError(Reason.TargetMissing, f"{self.strategy} keeps nothing: {replaced.kept_as}")

    def _clean(self, archive: Archive) -> None:
        target = self.target
        with target.open_entry() as session:
            role, present = read_role(session), read_database(session, target.database)
        if present is None:
            self._make_anew(archive)
            return
        loading = Loading(target.reach, role, target.database, present.owner)
        with target.reach.open_working(target.database) as session, ExitStack() as lent:
            if role.is_superuser:
                take_back_lent(session, target.database, recall_lent(session, target.database))
                contents = self.laid.contents
                lending = Lending(session, contents.later, Creation(target.database, contents.roles))
                lent.callback(lending.take_back)
            loading.run_whole(archive, ["--clean", "--if-exists", "--single-transaction"])
            lent.close()
            session.run("ANALYZE")

    def _make_anew(self, archive: Archive) -> None:
        """An empty one is made with the old one's properties, then the old is dropped, and the new takes its name and is filled."""
        target = self.target
        with target.open_entry() as session:
            found = target.look(session)
        present = target.database in found
        aside = Filling(target, self.laid.contents, archive)
        if present or target.prepared not in found:
            with target.open_entry() as session:
                drop_database(session, target.reach.server_major, target.prepared)
            aside.make_empty()
        with target.open_entry() as session:
            if present:
                self._carry(session)
                drop_database(session, target.reach.server_major, target.database)
        statements = [f"ALTER DATABASE {identifier(target.prepared)} RENAME TO {identifier(target.database)}"]
        rename_alone(target.reach, statements, target.database, target.prepared)
        with Filling(target, self.laid.contents, archive, database=target.database) as filling:
            filling.define()
            filling.complete(rows=True)

    def _carry(self, session: Session) -> None:
        for statement in carry_statements(session, self.target.database, self.target.prepared):
            session.run(statement)


class DumpIntake:
    """See Intake: lays the dump down, and reads what it holds."""

    takes_effect_early = False

    def __init__(self, target: Target, laid: _Laid) -> None:
        """NotEnoughSpace where there is no room for the dump: nothing is restored over a database that cannot be read first."""
        artifact = target.file.artifact
        free = target.reach.place.free_bytes()
        if free is None or free < artifact.plain_bytes:
            raise StrongroomError(
                Reason.NotEnoughSpace,
                f"source {artifact.source}: {(free or 0) >> 20} MiB are free beside the programs, and the dump takes "
                f"{artifact.plain_bytes >> 20}: it is laid down before anything is overwritten",
            )
        self._laid = laid
        self._opened = ExitStack()
        self._head = self._opened.enter_context(HeadReader(target.reach.restorer, target.dumped))
        self._stash = target.reach.place.stash(target.stash_name("dump"))

    def write(self, chunk: Chunk) -> None:
        """See Intake."""
        self._stash.write(chunk)
        self._head.write(chunk)

    def finish(self) -> None:
        """See Intake."""
        self._stash.finish()
        self._laid.contents = self._head.finish()
        self._laid.stash = self._stash

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """See Intake."""
        self._opened.close()
        if self._laid.stash is None:
            self._stash.remove()
