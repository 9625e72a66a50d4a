"""RestoreRequests: this version does not restore, and says so instead of leaving a request pending for ever."""

from datetime import datetime

from strongroom.api.conditions import SUCCEEDED, build_condition, with_condition
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.resources import parse_restore
from strongroom.controllers.context import Context
from strongroom.controllers.keys import Key
from strongroom.kube.kinds import RESTORES

MESSAGE = (
    "This version of Strongroom does not restore; nothing was touched. Every artifact opens with stock tools: find it "
    "with `strongroom artifacts`, decompress it with `zstd -d` or `gzip -d`, and restore it with "
    "`pg_restore --dbname=NEW_DATABASE --exit-on-error FILE`."
)


async def reconcile_restore(context: Context, key: Key) -> datetime | None:
    """Refuse a request that has not ended."""
    body = context.observed.restores.get((key.namespace, key.name))
    if body is None or (body.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return None
    try:
        request = parse_restore(body)
    except StrongroomError:
        return None  # the server refuses such requests; one that slipped through is not acted upon either
    condition = build_condition(
        SUCCEEDED,
        status=False,
        reason=Reason.Unsupported.name,
        message=MESSAGE,
        now=context.now(),
        generation=request.meta.generation,
    )
    status = request.status.model_copy(
        update={
            "observed_generation": request.meta.generation,
            "phase": "Failed",
            "conditions": with_condition(request.status.conditions, condition),
            "message": MESSAGE,
        }
    )
    await context.write_status(RESTORES, request.meta, request.status, status)
    await context.tell(RESTORES, request.meta, "Warning", Reason.Unsupported.name, MESSAGE)
    return None
