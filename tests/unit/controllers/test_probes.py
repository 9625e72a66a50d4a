"""What the probes of a cluster are answered: alive while the loop ticks, ready while this replica is of use."""

import socket
from typing import Any, cast

import pytest

from strongroom.controllers.context import Context
from strongroom.controllers.health import Health, Phase
from strongroom.controllers.leadership import FencedClient
from strongroom.controllers.measures import Measures
from strongroom.controllers.observed import Observed
from strongroom.controllers.obstacles import Obstacles
from strongroom.controllers.queue import ReconcileQueue
from strongroom.controllers.serving import AddressError, build_application, serve_metrics
from strongroom.controllers.settings import OperatorSettings, system_clock
from strongroom.kube.client import Answer
from strongroom.kube.refusals import Refusal

GOOD = Answer("get", 200)


class Probed:
    """A process without a cluster, asked as a kubelet asks."""

    def __init__(self) -> None:
        self.now = 0.0
        self.measures = Measures(monotonic=lambda: self.now)
        self.obstacles = Obstacles()
        settings = OperatorSettings(identity="operator", tick_seconds=10, lease_seconds=15)
        self.health = Health(settings, self.measures, self.obstacles)
        self.health.phase = Phase.Active
        self._application = build_application(self.measures, self.health)

    def ask(self, path: str) -> tuple[str, str]:
        seen: list[str] = []
        body = self._application({"PATH_INFO": path}, lambda status, _headers: seen.append(status[:3]))
        return seen[0], b"".join(body).decode()

    def lives(self) -> None:
        self.measures.beat()
        self.measures.hear(GOOD)


def test_liveness_turns_red_when_ticks_stop_and_green_when_they_return():
    probed = Probed()
    assert probed.ask("/healthz")[0] == "200"
    probed.now = 31
    assert probed.ask("/healthz")[0] == "503"
    assert probed.ask("/readyz")[0] == "503"
    probed.lives()
    assert probed.ask("/healthz")[0] == "200"
    assert probed.ask("/readyz")[0] == "200"


def test_an_api_server_that_is_away_makes_the_operator_unready_and_not_dead():
    probed = Probed()
    probed.now = 16
    probed.measures.beat()
    for status in (0, 500, 503):
        probed.measures.hear(Answer("get", status))
    assert probed.ask("/healthz")[0] == "200"
    status, words = probed.ask("/readyz")
    assert status == "503"
    assert "has not answered for 16 s" in words
    probed.lives()
    assert probed.ask("/readyz")[0] == "200"


@pytest.mark.parametrize(
    ("phase", "status"),
    [
        (Phase.Starting, "503"),
        (Phase.Standby, "200"),
        (Phase.Listing, "503"),
        (Phase.Active, "200"),
        (Phase.Stopping, "503"),
    ],
)
def test_who_acts_or_waits_for_the_lease_is_ready(phase, status):
    probed = Probed()
    probed.health.phase = phase
    assert probed.ask("/readyz")[0] == status


def test_what_blocks_is_told_and_what_only_worries_is_not():
    probed = Probed()
    probed.obstacles.note("clock", Refusal("ClockSuspect", "it differs"), blocks=False)
    assert probed.ask("/readyz")[0] == "200"
    probed.obstacles.note("listing jobs.batch", Refusal("Forbidden", "may not list jobs"))
    assert probed.ask("/readyz") == ("503", "not ready: active\nlisting jobs.batch: may not list jobs\n")
    probed.obstacles.clear("listing jobs.batch")
    assert probed.ask("/readyz")[0] == "200"


def test_a_port_that_is_taken_is_named_together_with_the_option_that_chooses_another():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = OperatorSettings(identity="operator", metrics_port=port)
        client = cast(FencedClient, cast(Any, None))
        context = Context(settings, client, Observed(), ReconcileQueue(), Measures(), system_clock)
        serving = serve_metrics(context, Health(settings, context.measures, context.obstacles))
        with pytest.raises(AddressError, match=f"127.0.0.1:{port}: Address already in use.*--metrics-port"):
            serving.__enter__()
