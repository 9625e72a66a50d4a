"""The shell lines of docs/from-scripts.md that restore by hand, run as they stand there against the sample stack."""

import re
import subprocess
from pathlib import Path

import pytest
from tests.docker.compose import ComposeStack

GUIDE = (Path(__file__).resolve().parents[3] / "docs/from-scripts.md").read_text()
ROWS = "SELECT count(*), sum(quantity) FROM shop_order_line"


def block(word: str) -> str:
    """The one shell block of the guide with that word in it."""
    (found,) = [each for each in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) if word in each]
    return found


def shell(stack: ComposeStack, script: str, **environment: str) -> str:
    """What bash prints, with `docker compose` as the program that this machine has."""
    compose = stack.environment()["COMPOSE"]
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script.replace("docker compose", compose)],
        cwd=stack.folder,
        env=stack.environment() | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def seeded(compose_stack):
    compose_stack.seed()
    return compose_stack


def test_the_database_is_restored_beside_the_old_one_and_swapped(seeded, tmp_path):
    dump = tmp_path / "database.shop.dump.zst"
    user = {"DB_USER": "shop", "DB_NAME": "shop"}
    query = f'docker compose exec -T postgresql psql -U shop -d shop -At -c "{ROWS}"'
    shell(seeded, f"docker compose exec -T postgresql pg_dump -U shop -d shop -Fc -Z0 | zstd -q -o {dump}")
    before = shell(seeded, query)
    shell(seeded, 'docker compose exec -T postgresql psql -U shop -d shop -c "TRUNCATE shop_order_line"')
    assert shell(seeded, query) != before
    lines = re.sub(r"^FILE=.*$", f"FILE={dump}", block("createdb"), flags=re.MULTILINE)
    retried = f"curl --retry 30 --retry-delay 1 --retry-all-errors --fail {seeded.url}/health/"
    shell(seeded, re.sub(r"^curl .*$", retried, lines, flags=re.MULTILINE), **user)
    assert shell(seeded, query) == before


def test_media_are_extracted_into_the_volume_with_owners_and_modes(seeded, tmp_path):
    volume = seeded.volume("media")
    listing = f"cd {volume} && find . -printf '%p %m %U %s\\n' | sort"
    before = shell(seeded, listing)
    archive = tmp_path / "media.tar.zst"
    shell(seeded, f"tar --create --xattrs --acls --directory {volume} . | zstd -q -o {archive}")
    shell(seeded, f"find {volume} -mindepth 1 -delete")
    lines = block("docker volume inspect").replace("media.tar.zst", str(archive))
    shell(seeded, lines.replace("compose-stack_media", f"{seeded.project}_media"))
    assert len(before.splitlines()) > 10
    assert shell(seeded, listing) == before
