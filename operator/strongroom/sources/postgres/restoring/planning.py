"""What restoring a database would do, and everything that stands in its way, found out without changing anything."""

from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoring import PlannedItem
from strongroom.sources.postgres.access import Session
from strongroom.sources.postgres.restoring.contents import Contents
from strongroom.sources.postgres.restoring.facts import (
    DatabaseFacts,
    RoleFacts,
    data_folder,
    find_obstacles,
    missing_extensions,
    missing_roles,
    read_database,
    read_role,
)
from strongroom.sources.postgres.restoring.reaching import major_of
from strongroom.sources.postgres.restoring.targets import Target

_GROWTH = 1.3
"""A database takes about so much more room than the rows in its dump: indexes, and what each row has around it."""


def plan_database(target: Target, *, beside: bool = True) -> PlannedItem:
    """See Restoration.plan. `beside`: whether a second database is made while the present one stands."""
    _refuse_old_server(target)
    with target.open_entry() as session:
        found = _look(session, target)
    _refuse_what_is_there(target, found)
    _refuse_without_rights(target, found)
    needed, free = _room(target, found) if beside else (None, None)
    artifact = target.file.artifact
    return PlannedItem(
        source=artifact.source,
        kind="database",
        file=artifact.file,
        database=artifact.database,
        into=target.database,
        container=artifact.container,
        overwrites=found.present is not None,
        present_bytes=found.present.size_bytes if found.present is not None else None,
        needed_bytes=needed,
        free_bytes=free,
        backup_version=artifact.server_version,
        target_version=target.reach.server_version,
    )


def plan_contents(target: Target, contents: Contents) -> list[str]:
    """What the archive's beginning adds for people. Raises ExtensionMissing, PermissionDenied for roles that cannot be made."""
    with target.open_entry() as session:
        role = read_role(session)
        lacking = missing_extensions(session, contents.extensions)
        roles = missing_roles(session, {*contents.roles, *([target.file.owner] if target.file.owner else [])})
    if lacking:
        raise StrongroomError(
            Reason.ExtensionMissing,
            f'source {_source(target)}: database "{target.database}": the server has no extension {", ".join(lacking)}',
        )
    if roles and not role.makes_roles:
        names = ", ".join(f'"{name}"' for name in roles)
        raise _denied(target, f"may not make roles, and {names} are missing: create them first")
    return [target.roles.describe(name) for name in roles]


@dataclass(frozen=True)
class _Found:
    role: RoleFacts
    present: DatabaseFacts | None
    obstacles: list[str]
    folder: str | None


def _look(session: Session, target: Target) -> _Found:
    present = read_database(session, target.database)
    return _Found(
        role=read_role(session),
        present=present,
        obstacles=[] if present is None else find_obstacles(session, target.database),
        folder=data_folder(session),
    )


def _refuse_old_server(target: Target) -> None:
    dumped, present = major_of(target.file.artifact.server_version), target.reach.server_major
    if present < dumped:
        raise StrongroomError(
            Reason.ServerTooOld,
            f"source {_source(target)}: the dump is of PostgreSQL {dumped}, the server is {present}",
        )


def _refuse_what_is_there(target: Target, found: _Found) -> None:
    if found.present is None:
        return
    where = f'source {_source(target)}: database "{target.database}"'
    if not target.overwrites:
        raise StrongroomError(Reason.TargetExists, f"{where} exists (target.database)")
    if found.present.is_template:
        raise StrongroomError(
            Reason.TargetInUse, f"{where} is a template: what it is copied to would not follow"
        )
    if found.obstacles:
        raise StrongroomError(Reason.TargetInUse, f"{where} has {', '.join(found.obstacles)}")


def _refuse_without_rights(target: Target, found: _Found) -> None:
    if not found.role.makes_databases:
        raise _denied(target, "may not create databases (CREATEDB)")
    if found.present is not None and not found.present.is_ours:
        raise _denied(target, f'is no member of "{found.present.owner}", who owns "{target.database}"')
    if found.present is not None and not found.role.ends_sessions:
        raise _denied(target, "may not end the sessions of others (GRANT pg_signal_backend)")


def _denied(target: Target, words: str) -> StrongroomError:
    role = target.reach.server.user
    return StrongroomError(
        Reason.PermissionDenied, f'source {_source(target)}: role "{role}" {words} (target.postgres.user)'
    )


def _room(target: Target, found: _Found) -> tuple[int, int | None]:
    """Room that is needed and free. NotEnoughSpace where it is known to be too little."""
    needed = int(target.file.artifact.plain_bytes * _GROWTH)
    free = None if found.folder is None else target.reach.place.free_bytes_of(found.folder)
    if free is not None and free < needed:
        raise StrongroomError(
            Reason.NotEnoughSpace,
            f'source {_source(target)}: the server has {free >> 20} MiB free in {found.folder}, and a second "{target.database}" '
            f"needs about {needed >> 20}",
        )
    return needed, free


def _source(target: Target) -> str:
    return target.file.artifact.source
