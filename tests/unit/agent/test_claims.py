import pytest
from tests.unit.agent.test_jobs import body

from strongroom.agent.claims import prepare
from strongroom.agent.folders import StateFolder
from strongroom.agent.jobs import parse_job
from strongroom.agent.settings import AgentSettings
from strongroom.api.errors import Reason


@pytest.fixture
def settings(tmp_path):
    return AgentSettings(kubeconfig=None, host_name="h", namespace="n", state_dir=tmp_path / "state")


@pytest.mark.parametrize("owner_uid", ["u" * 100, "", "run-1"])
async def test_a_job_without_an_order_is_refused_whoever_its_owner_is(settings, owner_uid):
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": owner_uid, "controller": True}
    job = parse_job(body(meta={"ownerReferences": [owner]}))
    state = StateFolder(settings.state_dir)
    with state.held():
        await prepare(job, settings, state)
        outcome = state.job(job.uid).outcome()
    assert outcome is not None
    assert outcome.result.reason == Reason.InvalidOrder.name
