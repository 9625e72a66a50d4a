"""Generated files say what the models say, byte for byte."""

from pathlib import Path

import pytest
import yaml

from strongroom.cli.crds import render_crds

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("folder", ["crds", "helm/strongroom/crds"])
def test_the_crds_on_disk_are_what_the_models_generate(folder: str) -> None:
    on_disk = {path.name: path.read_text() for path in (ROOT / folder).glob("*.strongroom.dev.yaml")}
    assert on_disk == render_crds(), "run `make crds`"


def test_the_kustomization_names_every_crd() -> None:
    listed = yaml.safe_load((ROOT / "crds/kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(render_crds())


def _rules(path: str) -> list[dict[str, list[str]]]:
    documents = yaml.safe_load_all((ROOT / path).read_text())
    return [rule for document in documents for rule in document.get("rules", [])]


@pytest.mark.parametrize("path", ["manifests/rbac/operator.yaml", "manifests/rbac/agent.yaml"])
def test_no_right_is_a_wildcard(path: str) -> None:
    rules = _rules(path)
    assert rules
    assert not [rule for rule in rules if "*" in rule["apiGroups"] + rule["resources"] + rule["verbs"]]


def test_the_operator_has_no_right_to_secrets() -> None:
    assert not [rule for rule in _rules("manifests/rbac/operator.yaml") if "secrets" in rule["resources"]]


def test_the_agent_reads_named_secrets_and_lists_none() -> None:
    (rule,) = [rule for rule in _rules("manifests/rbac/agent.yaml") if "secrets" in rule["resources"]]
    assert rule["verbs"] == ["get"]
