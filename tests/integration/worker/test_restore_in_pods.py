"""A pod that restores is killed, and nothing of it is left: the next one goes on, or puts back, by what stands and what was noted."""

import secrets
from collections.abc import Iterator

import pytest
from tests.integration.postgres import Server
from tests.integration.worker.pods import Pods
from tests.integration.worker.restorations import Restorable, restorable

NEVER = {"url": "http://127.0.0.1:9/", "timeout": "60s"}
WEB = [{"kind": "Deployment", "name": "web"}]


@pytest.fixture(scope="module")
def shop(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restorable]:
    with restorable(tmp_path_factory.mktemp("pods"), server) as made:
        made.back_up()
        yield made


@pytest.fixture(scope="module")
def whole(shop: Restorable) -> dict[str, str]:
    return shop.server.content_hashes(shop.name)


@pytest.fixture
def damaged(shop: Restorable, whole: dict[str, str]) -> Restorable:
    """Damaged anew, for a request of its own."""
    shop.uid = f"uid-{secrets.token_hex(4)}"
    shop.server.execute("DELETE FROM shop.order_line WHERE quantity < 5", shop.name)
    assert shop.server.content_hashes(shop.name) != whole
    return shop


@pytest.mark.parametrize("stage", ["Restore", "HealthCheck"])
def test_a_killed_pod_has_a_follower_that_completes_what_it_has_begun(
    damaged: Restorable, whole: dict[str, str], stage: str
) -> None:
    pods = Pods(damaged.workshop)
    pods.start(damaged.order(healthCheck=NEVER, workloads=WEB)).kill_at(stage)
    finished = pods.run(damaged.order(keepsReplaced=False, workloads=WEB))
    assert finished.result.reason == "Succeeded", finished.result
    assert damaged.server.content_hashes(damaged.name) == whole
    assert damaged.beside() == []
    assert pods.asked[-2:] == ["StartServices", "Remember"]


def test_what_no_pod_completes_is_put_back_with_services_stopped_around_it(damaged: Restorable) -> None:
    before = damaged.state()
    pods = Pods(damaged.workshop)
    pods.start(damaged.order(healthCheck=NEVER, workloads=WEB)).kill_at("HealthCheck")
    assert pods.asked == ["Recall", "StopServices", "StartServices"]
    pods.asked.clear()
    finished = pods.run(damaged.order(workloads=WEB), roll_back=True)
    assert finished.result.restore is not None
    assert finished.result.restore.rolled_back
    assert [each for each in pods.asked if each.endswith("Services")] == ["StopServices", "StartServices"]
    assert damaged.state() == before


def test_a_pod_killed_while_it_puts_back_the_old_is_followed_by_one_that_ends_that(
    damaged: Restorable,
) -> None:
    before = damaged.state()
    pods = Pods(damaged.workshop, answers=4)
    check = {"url": "http://127.0.0.1:9/", "timeout": "1s"}
    pods.start(damaged.order(healthCheck=check, workloads=WEB)).kill_at("RollBack")
    pods.answers = None
    finished = pods.run(damaged.order(workloads=WEB))
    assert finished.result.reason == "HealthCheckFailed", finished.result
    assert damaged.state() == before


def test_an_overwritten_database_is_never_told_to_be_back(damaged: Restorable) -> None:
    pods = Pods(damaged.workshop)
    order = damaged.order(strategy="DropAndCreate", safetyRun="before", healthCheck=NEVER)
    pods.start(order).kill_at("HealthCheck")
    finished = pods.run(order, roll_back=True)
    assert finished.result.reason == "RollBackFailed", finished.result
    assert "restore the safety backup, BackupRun before" in finished.result.message
