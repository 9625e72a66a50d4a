"""The command's face: helps with examples, clear errors, exit codes."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from strongroom.cli.main import main


@pytest.mark.parametrize(
    "command",
    [
        "up",
        "status",
        "backup",
        "restore",
        "artifacts",
        "keys",
        "discover",
        "doctor",
        "crds",
        "apiserver",
        "operator",
        "agent",
        "worker",
    ],
)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    done = CliRunner().invoke(main, [command, "--help"])
    assert done.exit_code == 0
    assert "Example" in done.output
    assert f"strongroom {command}" in done.output


def test_an_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["restoor"]).exit_code == 2


def test_crds_prints_one_document_for_each_kind() -> None:
    done = CliRunner().invoke(main, ["crds"])
    kinds = [document["spec"]["names"]["kind"] for document in yaml.safe_load_all(done.output)]
    assert kinds == ["BackupPolicy", "BackupRun", "RestoreRequest", "BackupStore", "DockerHost"]


def test_an_api_that_cannot_be_reached_is_one_line_and_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    done = CliRunner().invoke(main, ["status"])
    assert done.exit_code == 1
    assert "KUBECONFIG" in done.output
    assert "Traceback" not in done.output


def test_doctor_says_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["doctor", "--state", str(tmp_path), "--store", str(tmp_path / "absent")])
    assert done.exit_code == 1
    assert "does not exist" in done.output
    assert "mkdir -p" in done.output


def test_doctor_refuses_a_store_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(main, ["doctor", "--state", str(tmp_path), "--store", str(tmp_path / "file")])
    assert done.exit_code == 1
    assert "is a file" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--in-place"], "name a policy"),
        (["shop"], "say where to"),
        (["shop", "--in-place", "--to-database", "x"], "say where to"),
        (["shop", "--to-database", "x", "--strategy", "Clean"], "strategy goes with mode InPlace"),
        (["shop", "--in-place", "--as-of", "yesterday"], "write a time such as"),
        (["shop", "--in-place", "--keep-replaced", "a while"], "spec.keepReplaced"),
    ],
)
def test_a_restore_that_is_typed_wrong_is_refused_before_anything_is_made(
    words: list[str], said: str
) -> None:
    done = CliRunner().invoke(main, ["restore", *words])
    assert done.exit_code == 2
    assert said in done.output
