"""A database restored beside the present one, and exchanged with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoring import CheckResult, PlannedItem, Replaced
from strongroom.sources.postgres.access import Session
from strongroom.sources.postgres.restoring.comparing import compare_database
from strongroom.sources.postgres.restoring.facts import read_database
from strongroom.sources.postgres.restoring.naming import name_replaced
from strongroom.sources.postgres.restoring.planning import plan_database
from strongroom.sources.postgres.restoring.preparing import DatabaseIntake, drop_database
from strongroom.sources.postgres.restoring.properties import carry_statements
from strongroom.sources.postgres.restoring.quoting import identifier, literal
from strongroom.sources.postgres.restoring.reaching import Reach
from strongroom.sources.postgres.restoring.swapping import rename_alone
from strongroom.sources.postgres.restoring.targets import Target
from strongroom.sources.restoration import State


@dataclass(frozen=True)
class DatabaseRestoration:
    """See Restoration."""

    target: Target

    def plan(self) -> PlannedItem:
        """See Restoration."""
        return plan_database(self.target)

    def find_state(self) -> State:
        """See Restoration. Names and comments tell it; they change in transactions."""
        target = self.target
        with target.open_entry() as session:
            found = target.look(session)
        if target.replaced in found:
            return State.Swapped if target.database in found else State.Swapping
        if found.get(target.prepared) == target.mark:
            return State.Prepared
        return State.Swapped if found.get(target.database) == target.mark_alone else State.Untouched

    def prepare(self) -> DatabaseIntake:
        """See Restoration."""
        return DatabaseIntake(self.target)

    def compare(self) -> Iterator[CheckResult]:
        """See Restoration."""
        swapped = self.find_state() is State.Swapped
        name = self.target.database if swapped else self.target.prepared
        with self.target.reach.open_working(name) as session:
            yield from compare_database(session, self.target.file)

    def refuse_unforeseen(self) -> None:
        """See Restoration."""
        target = self.target
        with target.open_entry() as session:
            found = target.look(session)
        is_next = target.replaced not in found and target.prepared in found
        if is_next and target.database in found and not target.replaces:
            target.refuse_newcomer()

    def swap(self) -> Replaced | None:
        """See Restoration. One transaction; the present one's settings, privileges and comment go along."""
        target = self.target
        with target.open_entry() as session:
            found = target.look(session)
            statements = self._statements(session, found)
        has_old = target.replaced in found or target.database in found
        if statements:
            rename_alone(target.reach, statements, target.database, target.prepared)
        elif target.replaced not in found:
            has_old = False
            if found.get(target.database) != target.mark_alone:
                raise _gone(target.prepared)
        return self._replaced() if has_old else None

    def _statements(self, session: Session, found: Mapping[str, str]) -> list[str]:
        """SQL that takes it from what was found to Swapped; none where it is that already, or nothing is prepared."""
        target = self.target
        if target.replaced in found:
            if target.database in found:
                return []
            # Somebody has moved or dropped what had been exchanged.
            if target.prepared not in found:
                raise _gone(target.database)
            return [f"ALTER DATABASE {identifier(target.prepared)} RENAME TO {identifier(target.database)}"]
        if target.prepared not in found:
            return []
        if target.database not in found:
            return self._exchange([])
        if not target.replaces:
            target.refuse_newcomer()
        return self._exchange(carry_statements(session, target.database, target.prepared))

    def conclude(self) -> None:
        """See Restoration: names and comments tell it, and stay."""
        self.target.remove_stashes()

    def differences(self) -> Sequence[str]:
        """See Restoration."""
        return ()

    def swap_back(self) -> None:
        """See Restoration."""
        target = self.target
        with target.open_entry() as session:
            found = target.look(session)
        name, prepared = identifier(target.database), identifier(target.prepared)
        back = [
            f"ALTER DATABASE {name} RENAME TO {prepared}",
            f"COMMENT ON DATABASE {prepared} IS {literal(target.mark)}",
        ]
        if target.replaced in found:
            replaced = identifier(target.replaced)
            away = back if target.database in found else []
            statements = [
                f"ALTER DATABASE {replaced} WITH ALLOW_CONNECTIONS true",
                *away,
                f"ALTER DATABASE {replaced} RENAME TO {name}",
            ]
            rename_alone(target.reach, statements, target.database, target.prepared, target.replaced)
        elif found.get(target.database) == target.mark_alone:
            rename_alone(target.reach, back, target.database, target.prepared)

    def discard(self) -> None:
        """See Restoration. The name is ours: it follows from the request."""
        with self.target.open_entry() as session:
            drop_database(session, self.target.reach.server_major, self.target.prepared)
        self.target.remove_stashes()

    def drop(self, replaced: Replaced) -> None:
        """See Restoration."""
        drop_replaced(self.target.reach, replaced, self.target.request_uid)

    def _exchange(self, carried: list[str]) -> list[str]:
        target = self.target
        name, prepared, replaced = map(identifier, (target.database, target.prepared, target.replaced))
        if not carried:
            comment = f"COMMENT ON DATABASE {prepared} IS {literal(target.mark_alone)}"
            return [comment, f"ALTER DATABASE {prepared} RENAME TO {name}"]
        return [
            *carried,
            f"ALTER DATABASE {name} RENAME TO {replaced}",
            f"ALTER DATABASE {replaced} WITH ALLOW_CONNECTIONS false",
            f"ALTER DATABASE {prepared} RENAME TO {name}",
        ]

    def _replaced(self) -> Replaced:
        target = self.target
        return Replaced(
            source=target.file.artifact.source,
            kind="database",
            original=target.database,
            kept_as=target.replaced,
            container=target.reach.container,
        )


def _gone(name: str) -> StrongroomError:
    return StrongroomError(Reason.RestoreFailed, f'database "{name}" is not there any more')


def drop_replaced(reach: Reach, replaced: Replaced, request_uid: str) -> bool:
    """Drop the database that a request has replaced; False where there was none. TargetMissing for any name that it cannot have given."""
    if replaced.kept_as != name_replaced(replaced.original, request_uid):
        raise StrongroomError(
            Reason.TargetMissing,
            f'database "{replaced.kept_as}" is not what this request has made of "{replaced.original}"',
        )
    with reach.open_entry(replaced.kept_as) as session:
        found = read_database(session, replaced.kept_as)
        if found is not None and found.takes_connections:
            raise StrongroomError(
                Reason.TargetInUse,
                f'database "{replaced.kept_as}" takes connections, as no replaced one does: somebody uses it, and it stays. '
                f"To have it dropped: ALTER DATABASE {identifier(replaced.kept_as)} WITH ALLOW_CONNECTIONS false",
            )
        drop_database(session, reach.server_major, replaced.kept_as)
    return found is not None
