"""What pods say: running, ended with a message, or kept from starting."""

import pytest

from strongroom.domain.podstates import describe_loss, newest, parse_pod


def pod(name="p", phase="Pending", conditions=(), created="2026-11-01T00:00:00Z", reason=None, **state):
    return parse_pod(
        {
            "metadata": {
                "name": name,
                "namespace": "default",
                "uid": f"uid-{name}",
                "resourceVersion": "1",
                "creationTimestamp": created,
                "labels": {"job-name": "job"},
            },
            "spec": {"nodeName": "n1"},
            "status": {
                "phase": phase,
                "conditions": list(conditions),
                **({"reason": reason, "message": "low on disk"} if reason else {}),
                "containerStatuses": [{"name": "sidecar"}, {"name": "worker", "state": state}],
            },
        }
    )


def test_a_pod_that_is_being_made_has_no_trouble():
    for reason in ("ContainerCreating", "PodInitializing"):
        seen = pod(waiting={"reason": reason})
        assert (seen.trouble, seen.has_ended, seen.is_running, seen.job) == (None, False, False, "job")


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError"])
def test_a_container_that_cannot_start_says_why(reason):
    assert pod(waiting={"reason": reason, "message": "no such image"}).trouble == (reason, "no such image")


def test_a_pod_that_fits_no_node_says_why():
    unscheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available",
    }
    assert pod(conditions=[unscheduled]).trouble == ("Unschedulable", "0/1 nodes are available")


def test_a_container_that_has_ended_leaves_its_message():
    ended = pod(phase="Failed", terminated={"exitCode": 80, "reason": "Error", "message": "{}"})
    assert ended.has_ended
    assert ended.termination is not None
    assert (ended.termination.exit_code, ended.termination.message) == (80, "{}")


def test_why_there_is_no_result_is_told_in_words():
    killed = pod(phase="Failed", terminated={"exitCode": 137, "reason": "OOMKilled"})
    assert "resources.limits.memory" in describe_loss(killed)
    assert "Evicted: low on disk" in describe_loss(pod(phase="Failed", reason="Evicted"))
    crashed = pod(phase="Failed", terminated={"exitCode": 1, "reason": "Error", "message": "Traceback"})
    assert "exit code 1: Traceback" in describe_loss(crashed)
    assert describe_loss(None) == "there is no pod of it any more"


def test_the_newest_pod_is_the_last_attempt():
    pods = [pod("a", created="2026-11-01T00:00:02Z"), pod("b", created="2026-11-01T00:00:01Z")]
    assert newest(pods) == pods[0]
    assert newest([]) is None
