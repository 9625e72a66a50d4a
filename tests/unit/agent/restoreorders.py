"""Work orders of restores and drills, and what this host makes of them."""

from pathlib import PurePosixPath

from tests.unit.agent.test_permissions import DB, PLAIN, STORE

from strongroom.agent.allowances import Allowances
from strongroom.agent.asks import list_asks
from strongroom.agent.hostview import HostView
from strongroom.agent.permissions import Permissions
from strongroom.api.errors import StrongroomError
from strongroom.api.workorder import WorkOrder

CHOICE = {"policy": "shop", "run": "shop-1"}


def work(kind, part, stores=STORE):
    field = {"PlanRestore": "restore", "DropReplaced": "drop"}.get(kind, kind.lower())
    common = {"kind": kind, "namespace": "n", "runUid": "u", "stores": stores, "deadlineSeconds": 60}
    return WorkOrder.model_validate({**common, field: part})


def restoring(*targets, kind="Restore", stores=STORE, **more):
    named = [{"name": f"s{n}", **target} for n, target in enumerate(targets)]
    part = {"request": "again", "choice": CHOICE, "mode": "InPlace", "targets": named, **more}
    return work(kind, part, stores)


def dropping(*targets):
    named = [{"name": f"s{n}", **target} for n, target in enumerate(targets)]
    kept = [{"source": "s0", "kind": "folder", "original": "/a", "keptAs": "/.strongroom-b"}]
    return work("DropReplaced", {"request": "again", "policy": "shop", "targets": named, "replaced": kept})


def drilling(**more):
    return work("Drill", {"choice": CHOICE, "memoryBytes": 1 << 30, **more})


def stopping(*selectors):
    return {"stop": list(selectors), "stopTimeout": "30s"}


def view_of(order, container=PLAIN, **seen):
    resolved = {path: PurePosixPath(real) for path, real in seen.pop("resolved", {}).items()}
    return HostView(resolved=resolved, containers={ask: [container] for ask in list_asks(order)}, **seen)


def permissions(**allowed):
    allowances = Allowances(**allowed)
    return Permissions(
        allowances, allowances.stores, allowances.paths, restore_paths=allowances.restore_paths
    )


def refusal(order, container=PLAIN, view=None, **allowed):
    """Reason and text of the refusal, or None when all is allowed."""
    try:
        permissions(**allowed).check(list_asks(order), view or view_of(order, container))
    except StrongroomError as error:
        return f"{error.reason.name}: {error.message}"
    return None


__all__ = ["DB", "PLAIN"]
