"""What stores hold, for operators without workers: points that a plain agent lists as a worker would."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.integration.operator.plainagent import SHA, good_result

from strongroom.api.fields import format_time


def point(run: str, uid: str, *, minutes: int = 60, **changes: Any) -> dict[str, Any]:
    """A recovery point of a run that ended so many minutes ago."""
    ended = datetime.now(UTC) - timedelta(minutes=minutes)
    moment = format_time(ended - timedelta(minutes=1))
    artifact = {"source": "db", "kind": "database", "database": "orders", "file": "db/orders.dump.zst"}
    artifact |= {"plainBytes": 10, "plainSha256": SHA, "storedBytes": 5, "storedSha256": SHA}
    artifact["verification"] = {"level": "Full", "readBack": True, "time": format_time(ended)}
    base = {"recoveryPoint": f"default/orders/{run}", "policy": "orders", "policyUid": "earlier", "run": run}
    base |= {"runUid": uid, "reason": "Scheduled", "slot": moment, "startedAt": moment}
    base |= {
        "finishedAt": format_time(ended),
        "outcome": "Succeeded",
        "complete": True,
        "signature": "Unsigned",
    }
    return base | {"manifestSha256": SHA, "artifacts": [artifact]} | changes


class Shelves:
    """Points by store; `behave` of a plain agent that lists them in parts of that size."""

    def __init__(self, size: int = 1000) -> None:
        self.points: dict[str, list[dict[str, Any]]] = {}
        self.damaged: list[str] = []
        self.size = size
        self.listings = 0
        self.expected: list[str] = []
        """What the last listing was to look for."""
        self.backups: list[dict[str, Any]] = []

    def behave(self, order: dict[str, Any]) -> dict[str, Any]:
        if order["kind"] == "Backup":
            self.backups.append(order)
        if order["kind"] != "Catalogue":
            return good_result(order)
        self.listings += 1
        self.expected = order["catalogue"].get("expected", [])
        store, after = order["stores"][0]["name"], order["catalogue"].get("after")
        held = sorted(self.points.get(store, []), key=lambda each: each["recoveryPoint"])
        rest = [each for each in held if each["recoveryPoint"] > (after or "")]
        part = rest[: self.size]
        report: dict[str, Any] = {"store": store, "listedAt": format_time(datetime.now(UTC)), "points": part}
        report["damaged"] = self.damaged
        if after:
            report["after"] = after
        if len(rest) > len(part):
            report["next"] = part[-1]["recoveryPoint"]
        return good_result(order, catalogue=report)
