"""The image that `make image` builds without a registry: for every part, as nobody in particular, and it says what is in it."""

import json
import re

import pytest
from tests.docker.engine import ROOT

from strongroom import __version__


@pytest.fixture(scope="module")
def facts(worker_engine):
    (image,) = json.loads(worker_engine.docker("image", "inspect", "strongroom:dev"))
    return image


def run(engine, *words, **options):
    return engine.docker("run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL", *words, **options)


def test_its_tags_are_the_version_and_a_name_of_its_contents(facts):
    tags = {tag.partition(":")[2] for tag in facts["RepoTags"]}
    assert {"dev", __version__} < tags
    (rest,) = tags - {"dev", __version__}
    assert re.fullmatch(rf"{re.escape(__version__)}-[0-9a-f]{{12}}", rest)


def test_it_runs_as_nobody_in_particular_and_has_every_part(worker_engine, facts):
    assert facts["Config"]["User"] == "10001:10001"
    for part in ("operator", "agent", "worker", "apiserver"):
        assert f"strongroom {part}" in run(worker_engine, "strongroom:dev", part, "--help")
    assert run(worker_engine, "--entrypoint=id", "strongroom:dev", "-u").strip() == "10001"


def test_it_lists_what_it_is_made_of_for_those_who_look_for_known_faults(worker_engine, facts):
    place = facts["Config"]["Labels"]["dev.strongroom.contents"]
    lines = run(worker_engine, "--entrypoint=cat", "strongroom:dev", place).splitlines()
    found = {tuple(line.split("\t")[:3]) for line in lines}
    pinned = {
        ("pypi", name.lower(), version)
        for name, version in re.findall(
            r"^([\w.-]+)==(\S+)", (ROOT / "requirements/runtime.txt").read_text(), re.MULTILINE
        )
    }
    normal = {(kind, re.sub(r"[-_.]+", "-", name.lower()), version) for kind, name, version in found}
    assert {name for _, name, _ in pinned - normal} <= {"colorama"}  # of Windows alone
    assert ("pypi", "strongroom", __version__) in found
    assert {kind for kind, _, _ in found} == {"deb", "pypi"}
    assert facts["Config"]["Labels"]["org.opencontainers.image.version"] == __version__


def test_it_has_the_postgresql_clients_of_its_package_source(worker_engine):
    clients = run(
        worker_engine, "--entrypoint=sh", "strongroom:dev", "-c", "ls -d /usr/lib/postgresql/*/bin/pg_dump"
    )
    assert clients.split()


def test_both_ways_to_build_it_install_the_same_packages():
    script = re.search(r"packages='([^']+)'", (ROOT / "scripts/image.sh").read_text())
    final = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    named = re.findall(r"install -y --no-install-recommends ([^&\n]+)", final)
    assert script is not None
    assert set(script[1].split(",")) == set(" ".join(named).replace("'", "").replace("\\", "").split())
