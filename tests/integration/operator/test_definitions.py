"""An operator beside definitions of another version: it says so, works where it can, and refuses what it does not know."""

import copy

import pytest
from tests.integration.apiserver.serving import ServerThread
from tests.integration.operator.plainagent import PlainAgent
from tests.integration.operator.world import World

from strongroom.api.crds import build_crds
from strongroom.apiserver.settings import Settings
from strongroom.kube.connection import connect
from strongroom.kube.kinds import POLICIES


def fields(crd):
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]


def other_definitions():
    """Policies of a newer version, stores of an older one."""
    crds = copy.deepcopy(list(build_crds()))
    by_kind = {crd["spec"]["names"]["kind"]: crd for crd in crds}
    fields(by_kind["BackupPolicy"])["teleport"] = {"type": "boolean"}
    del fields(by_kind["BackupStore"])["limits"]
    return crds


class OtherApi:
    def __init__(self, state):
        self.state = state


@pytest.fixture
async def world(tmp_path):
    with ServerThread(Settings(tmp_path / "api", crds=other_definitions())) as server:
        kubeconfig = server.state_dir / "admin.kubeconfig"
        async with connect(kubeconfig, component="operator-tests") as client:
            yield await World.create(OtherApi(server.state_dir), client)


async def test_other_definitions_are_told_and_what_they_let_through_unknown_is_refused(world, probe):
    await world.store()
    await world.policy()
    await world.policy("newer", database="newer", teleport=True)
    async with (
        PlainAgent(world.client, world.namespace).alive(),
        world.operator(metrics_port_file=probe.port_file, lease_seconds=60),
    ):
        found = await world.until_condition(POLICIES, "newer", "Ready", "False", "Unsupported")
        assert "spec.teleport is set" in found["message"]
        await world.run()
        await world.until_phase("Succeeded")
        await probe.until_ready()
        for kind, reason in (("backuppolicies", "DefinitionNewer"), ("backupstores", "DefinitionOlder")):
            about = f"definition of {kind}.strongroom.dev"
            await probe.until_metric(1, "strongroom_operator_obstacle", about=about, reason=reason)
