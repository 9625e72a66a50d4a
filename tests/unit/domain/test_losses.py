"""Why a Job of the cluster has no result: of a pod that has run, its own end counts, whatever kept it waiting before."""

import json

from tests.unit.domain.domain_objects import CREATED, meta

from strongroom.api.errors import Reason
from strongroom.domain.jobstates import Ending, parse_job
from strongroom.domain.podstates import judge_loss, parse_pod

ENDING = Ending(succeeded=False, reason="BackoffLimitExceeded", message="", time=CREATED)
TROUBLE = json.dumps({"reason": "ErrImagePull", "message": "pod p: ErrImagePull"})


def job():
    noted = meta("job") | {"annotations": {"strongroom.dev/trouble": TROUBLE}}
    return parse_job({"metadata": noted, "spec": {}, "status": {}})


def pod(**state):
    statuses = [{"name": "worker", "state": state}]
    return parse_pod({"metadata": meta("p"), "status": {"containerStatuses": statuses}})


def test_a_pod_that_never_ran_did_not_start():
    said = judge_loss(job(), ENDING, pod(waiting={"reason": "ErrImagePull"}))
    assert said == (Reason.PodNotStarted, "pod p: ErrImagePull")


def test_a_pod_that_waited_and_then_ran_out_of_memory_is_told_so():
    reason, words = judge_loss(job(), ENDING, pod(terminated={"exitCode": 137, "reason": "OOMKilled"}))
    assert (reason, "OOMKilled" in words) == (Reason.WorkerLost, True)
