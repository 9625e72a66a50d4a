"""Generated files say what the code says, byte for byte."""

from pathlib import Path

import pytest
import yaml
from scripts.generate import render_files

ROOT = Path(__file__).resolve().parents[2]
FILES = render_files()


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_generated_file_is_what_the_code_declares(path: str) -> None:
    assert (ROOT / path).read_text() == FILES[path], "run `make crds`"


def test_no_crd_is_left_that_no_model_generates() -> None:
    for folder in ("crds", "helm/strongroom/files/crds"):
        assert {path.name for path in (ROOT / folder).glob("*.strongroom.dev.yaml")} == {
            Path(path).name for path in FILES if path.startswith("crds/")
        }


def test_the_kustomization_names_every_crd() -> None:
    listed = yaml.safe_load((ROOT / "crds/kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(Path(path).name for path in FILES if path.startswith("crds/"))
