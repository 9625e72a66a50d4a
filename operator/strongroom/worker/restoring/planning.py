"""What a restore would do, found out without changing anything."""

from collections.abc import Iterator, Sequence

from strongroom.api.fields import format_time
from strongroom.api.restoreorder import RestoreOrder
from strongroom.api.restoring import MOST_LINES, PlannedItem, RestorePlan
from strongroom.worker.restoring.choosing import choose_point
from strongroom.worker.restoring.confirming import confirmation_of
from strongroom.worker.restoring.items import Item, build_items, refuse_nested
from strongroom.worker.restoring.notes import Notebook
from strongroom.worker.restoring.reading import Shelf
from strongroom.worker.restoring.workloads import build_services
from strongroom.worker.task import Done, Task


def run_plan(task: Task, order: RestoreOrder) -> Done:
    """The plan. Raises everything that keeps the restore from being carried out, as far as it can be known now."""
    task.progress.enter("Plan")
    chosen = choose_point(task, order.choice, order.opening)
    shelf = Shelf(task, chosen, order.opening)
    items = build_items(task, order, shelf)
    refuse_nested(items)
    planned: list[PlannedItem] = []
    told: list[str] = []
    for item in items:
        task.progress.enter("Plan", item.source, item.file.artifact.database)
        planned.append(item.restoration.plan())
        told += item.tell()
    services = build_services(task, order, Notebook(None, task.order.run_uid)).find()
    lines = [
        *_beginning(shelf),
        *(_line(order, each) for each in planned),
        *dict.fromkeys(told),
        *_services(services),
        *_strategy(order, planned),
        *_lacking(items),
        *(f"note: {note}" for note in shelf.notes),
    ]
    plan = RestorePlan(
        recovery_point=chosen.prefix,
        run=chosen.manifest.run,
        slot=chosen.manifest.slot,
        manifest_sha256=chosen.manifest_sha256,
        stores=list(chosen.stores),
        confirmation=confirmation_of(planned) if order.mode == "InPlace" else None,
        items=planned,
        services=services,
        lines=_cut(lines),
    )
    return Done(recovery_point=chosen.prefix, plan=plan, message=plan.lines[0])


def _beginning(shelf: Shelf) -> Iterator[str]:
    manifest = shelf.chosen.manifest
    kind = "" if manifest.verified else ", which is not complete: files changed while they were read"
    stores = ", then ".join(shelf.chosen.stores)
    yield f"backup of {format_time(manifest.slot)} (run {manifest.run}{kind}), read from store {stores}"


def _line(order: RestoreOrder, item: PlannedItem) -> str:
    what = (
        f'database "{item.database}"' if item.database is not None else f"{item.kind} of source {item.source}"
    )
    size = "" if item.present_bytes is None else f" of {_quantity(item.present_bytes)}"
    if not item.overwrites:
        effect = "which is made: there is none of that name"
    elif order.strategy == "Swap":
        effect = f"in the place of the present one{size}"
    else:
        effect = f"over the present one{size}, which is lost with that"
    room = "" if item.needed_bytes is None else f"; it takes about {_quantity(item.needed_bytes)}"
    free = "" if item.free_bytes is None else f", {_quantity(item.free_bytes)} are free"
    versions = (
        f" (PostgreSQL {item.backup_version} to {item.target_version})"
        if item.backup_version and item.target_version
        else ""
    )
    return f"{what} into {item.into!r}, {effect}{versions}{room}{free}"


def _services(names: Sequence[str]) -> list[str]:
    return [f"stopped meanwhile and started again: {', '.join(names)}"] if names else []


def _strategy(order: RestoreOrder, planned: Sequence[PlannedItem]) -> list[str]:
    """What becomes of what is replaced."""
    if order.mode != "InPlace" or not any(item.overwrites for item in planned):
        return []
    if order.strategy != "Swap":
        return [f"strategy {order.strategy}: the safety backup is the only way back"]
    if order.keeps_replaced:
        return ["what is replaced is kept beside the new for a while"]
    return ["what is replaced is dropped at once: the safety backup is the only way back then"]


def _lacking(items: Sequence[Item]) -> list[str]:
    return list(
        dict.fromkeys(
            f"not in the backup of {each.name}: {words}" for each in items for words in each.file.not_included
        )
    )


def _cut(lines: Sequence[str]) -> list[str]:
    return (
        [*lines]
        if len(lines) <= MOST_LINES
        else [*lines[: MOST_LINES - 1], f"… and {len(lines) - MOST_LINES + 1} more"]
    )


def _quantity(size_bytes: int) -> str:
    """Rounded to what people compare."""
    size, unit = float(size_bytes), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):  # noqa: B007 - the last one stands
        if size < 1024:
            break
        size /= 1024
    return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
