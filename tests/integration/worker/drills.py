"""Backups that worker processes drill, and what they must not leave."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.worker.workshop import NAMESPACE, Finished, Workshop

from strongroom.api.restoring import DrillOutcome

MEMORY_BYTES = 256 << 20


@dataclass
class Drills:
    """A workshop whose backups are drilled."""

    workshop: Workshop

    def back_up(self, run: str = "first", **backup: Any) -> Finished:
        return self.workshop.succeed(self.workshop.order(run, **backup))

    def order(self, run: str = "first", *, uid: str = "uid-drill", **drill: Any) -> dict[str, Any]:
        disk = {"name": "disk", "spec": {"local": {"path": str(self.workshop.store)}}}
        stores = drill.pop("stores", None) or [disk]
        deadline = drill.pop("deadlineSeconds", 300)
        choice = {"policy": "shop", "run": run, **drill.pop("choice", {})}
        return {
            "version": 1,
            "kind": "Drill",
            "namespace": NAMESPACE,
            "runUid": uid,
            "stores": stores,
            "deadlineSeconds": deadline,
            "drill": {"choice": choice, "memoryBytes": MEMORY_BYTES, **drill},
        }

    def drill(self, run: str = "first", **drill: Any) -> Finished:
        return self.workshop.run(self.order(run, **drill))

    def passed(self, run: str = "first", **drill: Any) -> DrillOutcome:
        finished = self.workshop.succeed(self.order(run, **drill))
        outcome = finished.result.drill
        assert outcome is not None
        assert outcome.passed
        return outcome

    def alarm(self, reason: str, run: str = "first", **drill: Any) -> DrillOutcome:
        """It ran, and the backup did not restore."""
        finished = self.drill(run, **drill)
        outcome = finished.result.drill
        assert outcome is not None, f"{finished.result.reason}: {finished.result.message}{finished.stderr}"
        assert (outcome.passed, outcome.reason, finished.result.outcome) == (False, reason, "Failed"), (
            f"{finished.result.message}{finished.stderr}"
        )
        return outcome

    def could_not(self, reason: str, run: str = "first", **drill: Any) -> str:
        """It says nothing of the backup; the words."""
        finished = self.drill(run, **drill)
        assert finished.result.drill is None, finished.result.message
        assert finished.result.reason == reason, f"{finished.result.message}{finished.stderr}"
        return finished.result.message


def servers_below(folder: Path) -> list[int]:
    """Numbers of all processes that work below the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                place = (entry / "cwd").readlink()
            except OSError:
                continue
            if place.is_relative_to(folder):
                found.append(int(entry.name))
    return found
