"""What a worker that was killed has left is put right by whoever reads its journal."""

import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from tests.integration.hooks.services import Services, say

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.labels import COMPOSE_DEPENDS_ON_LABEL, COMPOSE_PROJECT_LABEL
from strongroom.engine.connecting import connect_engine
from strongroom.engine.dependencies import await_dependencies
from strongroom.engine.journal import CommandReference, Taken
from strongroom.engine.services import look_at, stop_container


def left_stopped(services: Services, name: str, *, action: str = "Stop", done: bool = True) -> None:
    """As a worker leaves it that is killed while it reads, or earlier: before the Engine has answered it."""
    found = look_at(connect_engine(services.engine.url), name)
    assert found is not None
    taken = Taken.model_validate(
        {
            "action": action,
            "container": found.id,
            "name": name,
            "state": found.state,
            "startedAt": found.started_at,
            "settleSeconds": 3,
        }
    )
    entry = services.journal.ask(services.journal.record(taken))
    if done:
        services.engine.docker(action.lower(), name)
        services.journal.confirm(entry)


def test_services_run_again_in_the_reverse_order_and_commands_follow(services: Services) -> None:
    for name in ("web", "db", "cache"):
        services.compose(name)
    for phase in ("after", "on_failure"):
        services.journal.owe(CommandReference.model_validate({"phase": phase, "index": 0}))
    left_stopped(services, "shop-web")
    left_stopped(services, "shop-db")
    left_stopped(services, "shop-cache", action="Pause")
    begun = datetime.now(UTC)
    services.undo(after=[say("after")], onFailure=[say("failed")])
    events = services.happened(begun, "unpause", "start")
    assert events == ["unpause shop-cache", "start shop-db", "start shop-web"]
    assert services.said() == ["failed", "after"]
    assert services.journal.entries() == []


def test_undoing_twice_is_undoing_once(services: Services) -> None:
    services.compose("web")
    left_stopped(services, "shop-web")
    for _ in range(2):
        services.undo()
    assert services.states() == {"shop-web": "running"}


def test_what_someone_started_by_hand_meanwhile_is_left_alone(services: Services) -> None:
    services.compose("web")
    left_stopped(services, "shop-web")
    services.engine.docker("start", "shop-web")
    started_at = services.started_at("shop-web")
    services.undo()
    assert services.started_at("shop-web") == started_at
    assert services.journal.entries() == []


@pytest.mark.parametrize("action", ["Stop", "Pause"])
def test_what_was_removed_or_made_anew_meanwhile_is_nobodys_debt(services: Services, action: str) -> None:
    services.compose("web")
    services.compose("db")
    for name in ("shop-web", "shop-db"):
        left_stopped(services, name, action=action)
        services.engine.docker("rm", "--force", name)
    services.compose("web")
    services.undo()
    assert services.states() == {"shop-web": "running"}
    assert services.journal.entries() == []


def test_what_was_renamed_meanwhile_is_found_again(services: Services) -> None:
    services.compose("web")
    left_stopped(services, "shop-web")
    services.engine.docker("rename", "shop-web", "shop-web-old")
    services.undo()
    assert services.states() == {"shop-web-old": "running"}


def test_a_stop_that_the_engine_is_still_at_is_waited_for(services: Services) -> None:
    """The one who asked is dead, and the Engine goes on: a look alone would find the service running."""
    services.run(
        "slow", "--stop-signal=TERM", command=("sh", "-c", "trap '' TERM; sleep infinity & wait; wait")
    )
    ask = "import sys; from strongroom.engine.connecting import connect_engine as c; from strongroom.engine.services import "
    ask += "stop_container as s; e = c(sys.argv[1]); print(flush=True); input(); s(e, 'slow', 'slow', 1)"
    command = [sys.executable, "-c", ask, services.engine.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        begun = datetime.now(UTC)
        left_stopped(services, "slow", done=False)
        assert worker.stdin is not None
        worker.stdin.write(b"now\n")
        worker.stdin.flush()
        while not services.happened(begun, "kill"):
            assert worker.poll() is None
        worker.send_signal(signal.SIGKILL)
    services.undo()
    assert services.states() == {"slow": "running"}
    assert services.happened(begun, "die", "start") == ["die slow", "start slow"]


def test_a_stop_that_the_engine_never_heard_of_costs_the_service_nothing(services: Services) -> None:
    services.compose("web")
    started_at = services.started_at("shop-web")
    left_stopped(services, "shop-web", done=False)
    services.undo()
    assert services.states() == {"shop-web": "running"}
    assert services.started_at("shop-web") == started_at


def test_a_service_that_cannot_start_yet_stays_on_record_and_holds_up_no_other(services: Services) -> None:
    published = "--publish=127.0.0.1:41873:80"
    services.compose("db")
    services.compose("web", published)
    services.journal.owe(CommandReference(phase="after", index=0))
    left_stopped(services, "shop-db")
    left_stopped(services, "shop-web")
    services.run("squatter", published)
    with pytest.raises(StrongroomError, match="shop-web cannot be started") as raised:
        services.undo(after=[say("after")])
    assert raised.value.reason is Reason.HookFailed
    assert services.states() == {"shop-db": "running", "shop-web": "exited", "squatter": "running"}
    assert [entry.taken.name for entry in services.journal.entries() if entry.taken] == ["shop-web"]
    services.engine.docker("rm", "--force", "squatter")
    services.undo(after=[say("after")])
    assert services.states() == {"shop-db": "running", "shop-web": "running"}
    assert services.said() == ["after"]


@pytest.mark.parametrize("policy", ["no", "always", "unless-stopped"])
@pytest.mark.parametrize("end", ["restart", "kill"])
def test_an_engine_that_goes_away_and_comes_back_changes_nothing(
    services: Services, policy: str, end: str
) -> None:
    services.compose("web", f"--restart={policy}")
    services.compose("cache", f"--restart={policy}")
    services.compose("old", "--restart=unless-stopped")
    services.engine.docker("stop", "shop-old")
    left_stopped(services, "shop-web")
    left_stopped(services, "shop-cache", action="Pause")
    (services.engine.restart if end == "restart" else services.engine.kill)()
    if end == "kill":
        with pytest.raises(StrongroomError) as raised:
            services.undo()
        assert raised.value.reason is Reason.EngineUnreachable
        services.engine.start()
    services.undo()
    assert services.states() == {"shop-cache": "running", "shop-old": "exited", "shop-web": "running"}
    assert services.journal.entries() == []


def test_a_command_that_the_order_does_not_hold_is_never_run(services: Services) -> None:
    services.compose("db")
    services.journal.owe(CommandReference(phase="after", index=1))
    services.journal.owe(CommandReference(source="other", phase="after", index=0))
    services.undo(after=[say("after")])
    assert services.said() == []
    assert services.journal.entries() == []


def test_stopping_what_has_stopped_is_no_failure(services: Services) -> None:
    services.compose("web")
    engine = connect_engine(services.engine.url)
    for _ in range(2):
        stop_container(engine, "shop-web", "shop-web", 1)


def test_a_journal_that_was_forged_starts_nothing_that_its_order_may_not_stop(services: Services) -> None:
    for name in ("web", "db"):
        services.compose(name)
        left_stopped(services, f"shop-{name}")
    own = look_at(connect_engine(services.engine.url), "shop-web")
    assert own is not None
    services.undo(containers=frozenset([own.id]))
    assert services.states() == {"shop-web": "running", "shop-db": "exited"}
    assert services.journal.entries() == []


def test_a_journal_that_was_forged_holds_up_nobody_for_longer_than_its_order_may(services: Services) -> None:
    services.compose("web")
    left_stopped(services, "shop-web", done=False)
    (entry,) = services.journal.entries()
    assert entry.taken is not None
    year = entry.taken.model_copy(
        update={"settle_seconds": 3e7, "asked_at": datetime(2100, 1, 1, tzinfo=UTC)}
    )
    for _ in range(50):
        services.journal.record(year)
    services.undo(settle_seconds=1)
    assert services.journal.entries() == []


def test_labels_of_an_image_do_not_hold_up_others_for_longer_than_one_wait(services: Services) -> None:
    services.compose("sick", "--health-cmd=false", "--health-interval=1h")
    labels = {COMPOSE_PROJECT_LABEL: "shop", COMPOSE_DEPENDS_ON_LABEL: ",".join(["sick"] * 100_000)}
    await_dependencies(connect_engine(services.engine.url), labels, seconds=1)
    assert services.states() == {"shop-sick": "running"}
