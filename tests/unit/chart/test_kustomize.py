"""manifests/ and the chart install the same."""

import copy
import subprocess
from functools import cache

import pytest
import yaml
from tests.chart.helm import KUBECTL, ROOT, render
from tests.chart.objects import find_faults, parse_objects

from strongroom import __version__

OF_HELM = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/version",
    "helm.sh/chart",
}
ACCOUNT = {"name": "docker-host", "namespace": "strongroom"}


@cache
def build(overlay):
    done = subprocess.run(
        [KUBECTL, "kustomize", ROOT / "manifests" / overlay], text=True, capture_output=True, check=True
    )
    return parse_objects(done.stdout)


def normal(value):
    """Without what helm, or only one of the two, writes beside the things themselves."""
    if isinstance(value, list):
        return [normal(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: normal(each) for key, each in value.items() if key not in OF_HELM}
    annotations = {
        k: v
        for k, v in kept.pop("annotations", {}).items()
        if not k.startswith(("helm.sh/", "strongroom.dev/"))
    }
    return kept | ({"annotations": annotations} if annotations else {})


def by_name(objects):
    objects = copy.deepcopy(objects)
    made = {(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]): normal(o) for o in objects}
    for body in made.values():
        for key, text in body.get("data", {}).items():
            body["data"][key] = yaml.safe_load(text)
    return made


@pytest.mark.parametrize(
    ("overlay", "values"),
    [
        ("overlays/cluster-wide", {"crds": {"install": True}}),
        ("overlays/namespaced", {"crds": {"install": False}, "watch": {"namespaces": ["strongroom"]}}),
    ],
)
def test_an_overlay_makes_what_the_chart_makes(overlay, values):
    of_overlay, of_chart = by_name(build(overlay)), by_name(render(values))
    of_overlay.pop(("Namespace", None, "strongroom"), None)  # helm makes it with --create-namespace
    assert of_overlay == of_chart


def test_the_overlay_of_a_docker_host_makes_what_the_chart_makes_of_one():
    of_chart = [
        o
        for o in render({"dockerHosts": [ACCOUNT], "crds": {"install": False}})
        if "agent" in o["metadata"]["name"]
    ]
    assert by_name(build("overlays/docker-host")) == by_name(of_chart)


def test_what_is_applied_without_an_overlay_is_the_cluster_wide_one():
    assert build(".") == build("overlays/cluster-wide")


@pytest.mark.parametrize("overlay", ["overlays/cluster-wide", "overlays/namespaced", "overlays/docker-host"])
def test_every_object_is_one_that_a_strict_server_takes(overlay):
    assert [fault for body in build(overlay) for fault in find_faults(body)] == []


def test_the_image_is_of_the_operators_version():
    base = yaml.safe_load((ROOT / "manifests/base/kustomization.yaml").read_text())
    assert base["images"] == [{"name": "strongroom", "newTag": __version__}]
