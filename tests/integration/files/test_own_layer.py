"""What changes in a container's own layer while the tar inside reads it is told, however much that is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.docker.engine import Engine
from tests.images.build import POSTGRES_BUSYBOX, WEB
from tests.integration.files.reading import read, read_around

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.filesources import FilesSource
from strongroom.engine.connecting import connect_engine
from strongroom.sources.files.places import HOST
from strongroom.sources.files.readings import plan_files
from strongroom.sources.reading import Reading

pytestmark = pytest.mark.integration

FILES = 1000
_MAKE = f"""
mkdir -p /own/layer /own/single && cd /own/layer
for i in $(seq 1 {FILES}); do
  : > "a file with a longer name, number $i"
  [ $((i % 50)) -ne 0 ] || head -c 4194304 /dev/zero > "big $i"
done
head -c 33554432 /dev/zero > /own/single/big
"""
"""Wherever tar begins, in the order of the file system, it soon waits in the middle of a big file."""
BIG = FILES // 50
Inside = Callable[..., str]


@pytest.fixture(scope="module", params=[WEB, POSTGRES_BUSYBOX], ids=["gnu", "busybox"])
def box(engine: Engine, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a container."""
    name = f"box-{request.param_index}"
    engine.docker(
        "run", "--detach", "--network=none", f"--name={name}", "--entrypoint=sleep", request.param, "1000000"
    )
    yield name
    engine.docker("rm", "--force", name)


@pytest.fixture
def inside(engine: Engine, box: str) -> Iterator[Inside]:
    """Runs a script in the container, where the tree is new."""

    def run(script: str) -> str:
        return engine.docker("exec", "--user=0", box, "sh", "-c", script)

    run(_MAKE)
    yield run
    run("rm -r /own")


def plan(engine: Engine, box: str, path: str = "/own/layer", **fields: object) -> Reading:
    where = {"container": {"name": box}, "path": path}
    source = FilesSource.model_validate({"inContainer": where, **fields})
    return plan_files("media", source, HOST, lambda: connect_engine(engine.url), "strongroom-test")[0]


def test_hundreds_of_files_that_vanish_are_all_counted(engine: Engine, box: str, inside: Inside) -> None:
    """More is said of them than the end of stderr that is kept."""
    reading = plan(engine, box)
    contents = read_around(reading, lambda: inside("rm -r /own/layer/a*"))
    vanished = FILES - ((contents.member_count or 0) - BIG - 1)
    if reading.origin.client_version == "busybox tar":
        # It lists a folder while it reads it: what it had not listed by then was never there for it.
        assert 0 < contents.changed.count <= vanished
    else:
        # The folder may be named as well, and a file that was removed while it was open.
        assert FILES // 2 < vanished <= contents.changed.count <= vanished + 3


def test_a_file_that_grows_under_the_reader_is_noticed(engine: Engine, box: str, inside: Inside) -> None:
    contents = read_around(plan(engine, box, "/own/single"), lambda: inside("echo more >> /own/single/big"))
    assert contents.changed.count == 1
    assert "changed while it was read" in contents.changed.first[0]


def test_what_stands_still_has_not_changed(engine: Engine, box: str, inside: Inside, tmp_path: Path) -> None:
    contents = read(plan(engine, box), tmp_path / "a.tar")
    assert (contents.changed.count, contents.member_count) == (0, FILES + BIG + 1)


def test_a_link_is_not_taken_for_the_file_that_it_leads_to(engine: Engine, box: str, inside: Inside) -> None:
    inside("ln -s big /own/single/link")
    with pytest.raises(StrongroomError, match="symbolic link") as caught:
        plan(engine, box, "/own/single/link")
    assert caught.value.reason is Reason.InvalidSpec
