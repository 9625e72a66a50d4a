"""The order: read once, refused as a whole if any of it is not understood."""

from pathlib import Path

from pydantic import ValidationError

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.workorder import WorkOrder


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
    if order.kind == "Backup" and order.backup is None:
        raise StrongroomError(Reason.InvalidOrder, "the work order: backup: missing for kind Backup")
    return order
