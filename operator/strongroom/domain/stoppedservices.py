"""What the operator has scaled to 0 for a Job of the cluster, as it is written down on the Job before it is done."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from strongroom.api.fields import format_time
from strongroom.api.workloads import MOST_SERVICES, Workload


@dataclass(frozen=True, slots=True)
class Stopped:
    """One of them, and how many it was."""

    workload: Workload
    uid: str
    replicas: int


@dataclass(frozen=True, slots=True)
class StoppedServices:
    """All of them, in the order in which they are stopped."""

    since: datetime
    services: tuple[Stopped, ...]


def format_stopped(stopped: StoppedServices) -> str:
    """As it stands on the Job."""
    return json.dumps(
        {
            "since": format_time(stopped.since),
            "services": [
                {**each.workload.to_api(), "uid": each.uid, "replicas": each.replicas}
                for each in stopped.services
            ],
        }
    )


def parse_stopped(text: str | None) -> StoppedServices | None:
    """None where nothing is stopped. What cannot be read is passed over: somebody has changed it."""
    try:
        said = json.loads(text) if text else None
        if not isinstance(said, dict):
            return None
        services = [_parse(each) for each in list(said.get("services") or [])[:MOST_SERVICES]]
        return StoppedServices(datetime.fromisoformat(said["since"]), tuple(services))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _parse(said: Mapping[str, Any]) -> Stopped:
    workload = Workload.model_validate({"kind": said["kind"], "name": said["name"]})
    return Stopped(workload, str(said["uid"]), max(0, int(said["replicas"])))


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector, as Deployments have it, takes these labels; an empty one takes none here.

    Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#resources-that-support-set-based-requirements
    """
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    expressions: Sequence[Mapping[str, Any]] = selector.get("matchExpressions") or []
    if not wanted and not expressions:
        return False
    matches = all(labels.get(key) == value for key, value in wanted.items())
    return matches and all(_holds(each, labels) for each in expressions)


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    found, values = labels.get(str(expression.get("key"))), expression.get("values") or []
    match expression.get("operator"):
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case _:
            return False
