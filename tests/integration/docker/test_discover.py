"""`strongroom discover` on the sample stack: what it prints can be applied, and covers what runs."""

import subprocess
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from tests.docker.compose import ComposeStack
from tests.integration.embedded import served
from tests.unit.domain import domain_objects as objects

from strongroom.api.resources import BackupPolicy, parse_policy
from strongroom.cli.main import main
from strongroom.domain.coverage import find_uncovered
from strongroom.engine.connecting import connect_engine
from strongroom.engine.stacks import read_stacks


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with served(tmp_path_factory.mktemp("discover") / "api") as api:
        yield api


@pytest.fixture(scope="module")
def printed(compose_stack: ComposeStack) -> str:
    done = CliRunner().invoke(main, ["discover", "--engine", compose_stack.engine.url])
    assert done.exit_code == 0, done.output
    return done.output


def policies(printed: str) -> dict[str, BackupPolicy]:
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(printed))
    named = {each["metadata"]["name"]: each for each in documents if each["kind"] == "BackupPolicy"}
    return {name: parse_policy(each | {"metadata": objects.meta(name)}) for name, each in named.items()}


def test_kubectl_applies_what_it_prints(api, printed):
    done = subprocess.run(
        ["kubectl", "--kubeconfig", api.admin, "apply", "--dry-run=server", "--validate=strict", "-f", "-"],
        input=printed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4


def test_it_finds_database_media_and_configuration_of_the_stack(compose_stack, printed):
    project, found = compose_stack.project, policies(printed)
    assert list(found) == [f"{project}-{part}" for part in ("database", "media", "config")]
    database, media, config = (each.spec.sources for each in found.values())
    assert [str(each.postgres.container) for each in database] == [f"{project}/postgresql"]
    assert [each.files.volume for each in media] == [f"{project}_media"]
    assert [each.config.project for each in config] == [project]


def test_what_it_proposes_covers_every_database_that_runs(compose_stack, printed):
    seen = read_stacks(connect_engine(compose_stack.engine.url)).databases
    databases = [
        {"container": each.container, "project": each.project, "service": each.service} for each in seen
    ]
    host = objects.host(status={"databases": databases})
    assert len(databases) == 1
    assert find_uncovered(host, policies(printed).values()) == []


def test_an_engine_without_containers_gets_a_store_and_nothing_to_put_into_it(second_engine):
    done = CliRunner().invoke(main, ["discover", "--engine", second_engine.url])
    assert [each["kind"] for each in yaml.safe_load_all(done.output)] == ["BackupStore"]
