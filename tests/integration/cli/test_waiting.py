"""`strongroom backup --wait` as a process of its own, against a real API server; the test is the operator."""

import subprocess
import sys

from tests.integration.embedded import EmbeddedApi, served

from strongroom.kube.connection import connect
from strongroom.kube.kinds import POLICIES, RUNS

POLICY = {
    "metadata": {"name": "shop"},
    "spec": {
        "host": "local",
        "sources": [{"name": "media", "files": {"volume": "media"}}],
        "stores": ["disk"],
    },
}


async def test_a_backup_that_is_waited_for_outlives_a_restart_of_the_api(tmp_path):
    with served(tmp_path / "state") as api:
        async with connect(api.admin) as client:
            await client.create(POLICIES, "default", POLICY)
        with waiting_backup(api) as waiting:
            assert waiting.stdout is not None
            name = waiting.stdout.readline().split()[0].removeprefix("backuprun.strongroom.dev/")
            api.kill()
            api.start()
            async with connect(api.admin) as client:
                ended = {"status": {"phase": "Succeeded", "message": "1 artifact"}}
                await client.patch(RUNS, "default", name, ended, subresource="status")
            output, errors = waiting.communicate(timeout=60)
    assert (waiting.returncode, errors.count("Error")) == (0, 0), errors
    assert f"{name}: Succeeded - 1 artifact" in output


async def test_who_waits_is_told_why_nothing_begins(tmp_path):
    with served(tmp_path / "state") as api:
        async with connect(api.admin) as client:
            await client.create(POLICIES, "default", POLICY)
            with waiting_backup(api) as waiting:
                assert waiting.stdout is not None
                assert waiting.stderr is not None
                name = waiting.stdout.readline().split()[0].removeprefix("backuprun.strongroom.dev/")
                pending = {"status": {"phase": "Pending", "message": "the Engine is away"}}
                await client.patch(RUNS, "default", name, pending, subresource="status")
                assert "It waits: the Engine is away" in waiting.stderr.readline()
                ended = {"status": {"phase": "Failed", "message": "given up"}}
                await client.patch(RUNS, "default", name, ended, subresource="status")
                assert waiting.wait(timeout=60) == 1


def waiting_backup(api: EmbeddedApi) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "strongroom", "backup", "shop", "--wait", "--kubeconfig", str(api.admin)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
