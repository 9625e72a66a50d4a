"""The real helm, rendering our chart."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.chart.objects import parse_objects

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/strongroom"
HELM = Path(sys.executable).parent / "helm"
KUBECTL = Path(sys.executable).parent / "kubectl"

Object = dict[str, Any]


class Refused(Exception):  # noqa: N818  helm's answer
    """What helm says of values that it refuses."""


@dataclass(frozen=True)
class Release:
    """How helm is asked."""

    name: str = "strongroom"
    namespace: str = "strongroom"
    options: tuple[str, ...] = ()
    chart: Path = field(default=CHART)


def render(values: Object | None = None, release: Release = Release()) -> list[Object]:
    """The objects that these values make; raises Refused."""
    command = [
        HELM,
        "template",
        release.name,
        release.chart,
        "--namespace",
        release.namespace,
        "--values",
        "-",
    ]
    done = subprocess.run(
        [*command, *release.options],
        input=yaml.safe_dump(values or {}),
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise Refused(done.stderr)
    return parse_objects(done.stdout)


def find(objects: list[Object], kind: str, name: str | None = None) -> Object:
    """The one object of that kind (and name)."""
    (only,) = [o for o in objects if o["kind"] == kind and name in (None, o["metadata"]["name"])]
    return only
