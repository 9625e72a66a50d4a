"""What is scaled to 0 for a Job is written down whole, and read back whatever somebody made of it."""

import json

import pytest
from pydantic import ValidationError
from tests.unit.domain.domain_objects import CREATED

from strongroom.api.workloads import ServiceSelector, Workload
from strongroom.domain.stoppedservices import Stopped, StoppedServices, format_stopped, parse_stopped, selects

WEB = Stopped(Workload(kind="Deployment", name="web"), "uid-web", 3)
QUEUE = Stopped(Workload(kind="StatefulSet", name="queue"), "uid-queue", 1)


def test_what_was_written_down_is_read_back():
    stopped = StoppedServices(CREATED, (WEB, QUEUE))
    assert parse_stopped(format_stopped(stopped)) == stopped
    assert parse_stopped(None) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"since": "x"}', '{"services": [{"kind": "Node", "name": "a"}]}']
)
def test_a_note_that_somebody_has_spoilt_counts_as_none(text):
    assert parse_stopped(text) is None


def test_a_note_never_asks_for_less_than_nothing():
    said = json.loads(format_stopped(StoppedServices(CREATED, (WEB,))))
    said["services"][0]["replicas"] = -5
    stopped = parse_stopped(json.dumps(said))
    assert stopped is not None
    assert stopped.services[0].replicas == 0


@pytest.mark.parametrize(
    ("selector", "taken"),
    [
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "back"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "api"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "Gt", "values": ["1"]}]}, False),
        ({}, False),
    ],
)
def test_pods_of_a_service_are_those_that_its_selector_takes(selector, taken):
    assert selects(selector, {"app": "web", "tier": "front"}) is taken


@pytest.mark.parametrize(
    "said",
    [
        {"deployment": "web"},
        {"statefulSet": "queue"},
        {"project": "shop", "service": "web"},
        {"project": "shop", "service": "web", "index": 2},
        {"name": "shop-web-1"},
    ],
)
def test_a_service_is_named_in_one_way(said):
    selector = ServiceSelector.model_validate(said)
    assert (selector.workload is None) != (selector.container is None)
    assert selector.to_api() == said


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"deployment": "web", "statefulSet": "web"},
        {"deployment": "web", "name": "web"},
        {"project": "shop"},
        {"deployment": "web", "index": 1},
        {"deployment": "web", "project": "shop"},
    ],
)
def test_a_service_named_in_two_ways_or_by_half_is_refused(said):
    with pytest.raises(ValidationError):
        ServiceSelector.model_validate(said)
