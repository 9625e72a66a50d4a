"""The volume that a restore makes, where its target is one that is not there yet."""

from strongroom.api.labels import RESTORE_LABEL
from strongroom.api.workorder import WorkOrder
from strongroom.engine.connecting import Engine
from strongroom.engine.volumes import ensure_volume, has_volume


def make_volume(order: WorkOrder, engine: Engine | None) -> None:
    """Make the volume of a restore into a new one. Idempotent; nothing else makes it. Raises EngineUnreachable."""
    restore = order.restore
    if order.kind == "Restore" and restore is not None and restore.volume is not None and engine is not None:
        ensure_volume(engine, restore.volume, {RESTORE_LABEL: f"{order.namespace}.{restore.request}"})


def unmade_volume(order: WorkOrder, engine: Engine) -> str | None:
    """Its name, while it is only planned: mounting it would make it."""
    restore = order.restore
    if order.kind != "PlanRestore" or restore is None or restore.volume is None:
        return None
    return None if has_volume(engine, restore.volume) else restore.volume
