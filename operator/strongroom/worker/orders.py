"""The order: read once, refused as a whole if any of it is not understood."""

from pathlib import Path

from pydantic import ValidationError

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.workorder import OrderKind, WorkOrder

_PARTS: dict[OrderKind, str | None] = {
    "Backup": "backup",
    "CatchUp": "catch_up",
    "CheckStore": None,
    "Catalogue": "catalogue",
    "PlanRestore": "restore",
    "Restore": "restore",
    "DropReplaced": "drop",
    "Drill": "drill",
}


def parse_order(path: Path) -> WorkOrder:
    """The work order in that file; InvalidOrder when it is missing, malformed, or of another version."""
    try:
        order = WorkOrder.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StrongroomError(Reason.InvalidOrder, f"the work order cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise StrongroomError(
            Reason.InvalidOrder, f"the work order: {where}: {excerpt(first['msg'])}"
        ) from error
    _refuse_halves(order)
    return order


def _refuse_halves(order: WorkOrder) -> None:
    """A kind without its part, or a part of another kind: only the whole says what is to be done."""
    wanted = _PARTS[order.kind]
    for name in dict.fromkeys(filter(None, _PARTS.values())):
        if (getattr(order, name) is not None) != (name == wanted):
            trouble = "missing" if name == wanted else "not meant"
            raise StrongroomError(
                Reason.InvalidOrder, f"the work order: {name}: {trouble} for kind {order.kind}"
            )
    if order.kind == "Catalogue" and len(order.stores) != 1:
        raise StrongroomError(Reason.InvalidOrder, "the work order: stores: kind Catalogue is for one store")
