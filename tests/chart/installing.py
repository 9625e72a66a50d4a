"""Our chart on a cluster, by the real helm: installed, upgraded, uninstalled."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.chart.helm import CHART, HELM

FIRST_WITH_RULES = 25
FIRST_SUPPORTED = 29
SECONDS = 180
Object = dict[str, Any]


@dataclass(frozen=True)
class Helm:
    """One release on one cluster."""

    kubeconfig: Path
    home: Path
    release: str = "strongroom"
    namespace: str = "strongroom"

    def install(self, chart: Path, values: Object) -> None:
        """Install or upgrade it; returns when its pod is ready."""
        words = ("upgrade", self.release, str(chart), "--install", "--create-namespace", "--values=-")
        self._run(*words, "--wait", f"--timeout={SECONDS}s", text=yaml.safe_dump(values))

    def uninstall(self) -> None:
        """Uninstall it; returns when what helm deletes is gone."""
        self._run("uninstall", self.release, "--wait", f"--timeout={SECONDS}s")

    def _run(self, *words: str, text: str | None = None) -> None:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig)}
        command = [str(HELM), *words, "--namespace", self.namespace]
        done = subprocess.run(
            command,
            input=text,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS + 60,
            check=False,
        )
        assert done.returncode == 0, f"helm {' '.join(words)}: {done.stdout}{done.stderr}"


def chart_for(minor: int, folder: Path) -> Path:
    """The chart as a cluster of version 1.`minor` takes it: a copy, for those that are older than what we support."""
    copy = folder / "chart"
    if copy.exists():
        shutil.rmtree(copy)
    shutil.copytree(CHART, copy)
    if minor < FIRST_SUPPORTED:
        edit(copy / "Chart.yaml", lambda chart: {k: v for k, v in chart.items() if k != "kubeVersion"})
    if minor < FIRST_WITH_RULES:
        for path in (copy / "files/crds").glob("*.strongroom.dev.yaml"):
            edit(path, without_rules)
    return copy


def edit(path: Path, change: Any) -> None:
    """Write a file of YAML anew."""
    path.write_text(yaml.safe_dump(change(yaml.safe_load(path.read_text())), sort_keys=False))


def without_rules(node: Any) -> Any:
    """Rules in CEL are unknown fields to an older server, which refuses them."""
    if isinstance(node, dict):
        return {key: without_rules(value) for key, value in node.items() if key != "x-kubernetes-validations"}
    return [without_rules(each) for each in node] if isinstance(node, list) else node
