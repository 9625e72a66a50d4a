"""Alerts and dashboard: checked and tested by promtool, made of metrics that the operator has, each with its page."""

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
import yaml
from tests.chart.helm import CHART, ROOT, find, render

from strongroom.controllers.context import Context
from strongroom.controllers.health import Health
from strongroom.controllers.keys import Key
from strongroom.controllers.leadership import FencedClient
from strongroom.controllers.measures import (
    DrillMeasures,
    HostMeasures,
    Measures,
    PolicyMeasures,
    StoreHealth,
    StoreMeasures,
)
from strongroom.controllers.metrics import PolicyCollector
from strongroom.controllers.observed import Observed
from strongroom.controllers.operatormetrics import OperatorCollector
from strongroom.controllers.queue import ReconcileQueue
from strongroom.controllers.settings import OperatorSettings, system_clock
from strongroom.controllers.tally import Tally
from strongroom.kube.kinds import STORES
from strongroom.kube.refusals import Refusal

ALERTS = CHART / "files/alerts.yaml"
DASHBOARD = CHART / "files/dashboard.json"
CASES = ROOT / "tests/chart/alerts_test.yaml"
RUNBOOKS = ROOT / "docs/runbooks"
MINE = Path(sys.executable).parent / "promtool"
PROMTOOL = str(MINE) if MINE.exists() else shutil.which("promtool") or str(MINE)
NAMES = [rule["alert"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]

NONE = {"install": False}


def promtool(*words, folder):
    done = subprocess.run([PROMTOOL, *words], cwd=folder, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def exported():
    """Names of all that the operator exports, as Prometheus stores them."""
    measures = Measures()
    name = ("a", "p")
    now = datetime.now(UTC).timestamp()
    measures.policies[name] = PolicyMeasures(
        ready=True,
        last_success=now,
        expected_interval=1.0,
        max_age=1.0,
        size_bytes=1,
        duration_seconds=1.0,
        next_schedule=now,
        stores={"s": StoreMeasures(1, 0, now)},
        drills=DrillMeasures(drilled=True, last=now, seconds=1.0, target_seconds=1),
        untrusted_points=0,
    )
    measures.hosts[name] = HostMeasures(ready=True, engine_ready=True, uncovered=0)
    measures.stores[name] = StoreHealth(ready=True, free_bytes=1, last_contact=now)
    settings = OperatorSettings(identity="operator")
    context = Context(
        settings, cast("FencedClient", None), Observed(), ReconcileQueue(), measures, system_clock
    )
    context.obstacles.note("watching", Refusal("Forbidden", "no"))
    context.refused[Key(STORES, "a", "s")] = Refusal("Forbidden", "no")
    measures.registry.register(PolicyCollector(measures, Tally(), system_clock))
    measures.registry.register(OperatorCollector(context, Health(settings, measures, context.obstacles)))
    return {sample.name for metric in measures.registry.collect() for sample in metric.samples}


def used(text):
    return set(re.findall(r"\bstrongroom_[a-z_]+", text))


def test_the_rules_are_valid_and_fire_when_they_should(tmp_path):
    shutil.copy(ALERTS, tmp_path)
    shutil.copy(CASES, tmp_path)
    promtool("check", "rules", ALERTS.name, folder=tmp_path)
    promtool("test", "rules", CASES.name, folder=tmp_path)


def test_every_alert_is_tried_out():
    tried = {
        case["alertname"]
        for test in yaml.safe_load(CASES.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert tried == set(NAMES)


def test_alerts_and_dashboard_ask_for_metrics_that_the_operator_exports():
    asked = used(ALERTS.read_text()) | used(DASHBOARD.read_text())
    assert asked - exported() == set()


def test_every_alert_has_a_page_and_no_page_is_left_over():
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == set(NAMES) | {"README"}


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_is_at_stake_and_what_to_do(name):
    page = (RUNBOOKS / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert [line for line in page.splitlines() if line.startswith("## ")] == ["## Look", "## Act"]
    assert f"[{name}]({name}.md)" in (RUNBOOKS / "README.md").read_text()


def test_the_charts_rule_is_those_groups_with_labels_and_places_of_the_pages(tmp_path):
    settings = {
        "enabled": True,
        "runbookBase": "https://git.example/runbooks/",
        "disabled": ["StrongroomCopiesNotSatisfied"],
        "alertLabels": {"team": "platform", "severity": "page"},
        "labels": {"release": "prometheus"},
    }
    body = find(render({"metrics": {"prometheusRule": settings}, "crds": NONE}), "PrometheusRule")
    rules = [rule for group in body["spec"]["groups"] for rule in group["rules"]]
    assert [rule["alert"] for rule in rules] == [
        name for name in NAMES if name != "StrongroomCopiesNotSatisfied"
    ]
    assert {rule["labels"]["team"] for rule in rules} == {"platform"}
    assert (
        rules[0]["annotations"]["runbook_url"] == "https://git.example/runbooks/StrongroomBackupNotFresh.md"
    )
    assert body["metadata"]["labels"]["release"] == "prometheus"
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(body["spec"]))
    promtool("check", "rules", "rules.yaml", folder=tmp_path)


def test_the_dashboard_is_one_that_grafana_loads():
    board = json.loads(DASHBOARD.read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert board["title"]
    assert board["uid"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(target["expr"] for panel in panels for target in panel["targets"])
    data = find(
        render({"metrics": {"dashboard": {"enabled": True}}, "crds": NONE}),
        "ConfigMap",
        "strongroom-dashboard",
    )["data"]
    assert json.loads(data["strongroom.json"]) == board
