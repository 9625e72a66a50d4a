"""The worker's side: services stand still while the test's reading goes on, and exactly what ran runs afterwards."""

import dataclasses
import os
import signal
from datetime import UTC, datetime

import pytest
from tests.integration.hooks.services import Services, command, of, say

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.hooks import Hooks
from strongroom.worker.ending import EndedError
from strongroom.worker.hooking import hooked


def test_a_service_stands_still_while_it_is_read_and_runs_again_afterwards(services: Services) -> None:
    services.compose("web")
    services.compose("cache")
    with services.hooked(stop=[of("web")], pause=[of("cache")]):
        assert services.states() == {"shop-cache": "paused", "shop-web": "exited"}
    assert services.states() == {"shop-cache": "running", "shop-web": "running"}
    assert services.journal.entries() == []


def test_what_did_not_run_before_does_not_run_afterwards(services: Services) -> None:
    for name in ("running", "exited", "paused"):
        services.compose(name)
    services.engine.docker("stop", "shop-exited")
    services.engine.docker("pause", "shop-paused")
    services.engine.docker("create", "--name", "never", "strongroom-test/base:bookworm", "true")
    before = services.states()
    stop = [*map(of, ("running", "exited", "paused")), {"name": "never"}]
    with services.hooked(stop=stop, pause=[of("paused")]):
        assert services.states() == before | {"shop-running": "exited"}
    assert services.states() == before


def test_services_stop_before_what_they_need_and_start_after_it(services: Services) -> None:
    services.compose("db")
    services.compose("app", needs="db:service_started:false")
    services.compose("web", needs="app:service_started:false")
    begun = datetime.now(UTC)
    with services.hooked(stop=[of("db"), of("web"), of("app")]):
        pass
    assert services.happened(begun, "die", "start") == [
        *("die shop-web", "die shop-app", "die shop-db"),
        *("start shop-db", "start shop-app", "start shop-web"),
    ]


@pytest.mark.parametrize("needs", ["db:service_healthy:false", ""])
def test_what_depends_on_a_service_waits_until_it_is_healthy(services: Services, needs: str) -> None:
    healthy = ("--health-cmd=test -e /log/healthy || ! touch /log/healthy", "--health-interval=1s")
    services.compose("db", *healthy)
    services.compose("web", needs=needs)
    begun = datetime.now(UTC)
    with services.hooked(stop=[of("web"), of("db")]):
        (services.log / "healthy").unlink(missing_ok=True)
    events = services.happened(begun, "start", "health_status")
    assert events.index("start shop-web") > events.index("health_status: healthy shop-db")


def test_all_containers_of_a_scaled_service_stand_still(services: Services) -> None:
    services.compose("web")
    services.run(
        "shop-web-2", "--label=com.docker.compose.project=shop", "--label=com.docker.compose.service=web"
    )
    with services.hooked(stop=[of("web")]):
        assert set(services.states().values()) == {"exited"}
    assert set(services.states().values()) == {"running"}


def test_a_service_that_is_not_there_ends_the_run_before_anything_is_stopped(services: Services) -> None:
    services.compose("web")
    with (
        pytest.raises(StrongroomError, match=r"hooks.stop\[1\]: shop/wbe: there is none") as raised,
        services.hooked(stop=[of("web"), of("wbe")]),
    ):
        raise AssertionError("it was read")
    assert raised.value.reason is Reason.ContainerNotFound
    assert services.states() == {"shop-web": "running"}


def test_a_reading_that_fails_fails_with_its_own_error_and_services_run_again(services: Services) -> None:
    services.compose("web")
    with pytest.raises(KeyError), services.hooked(stop=[of("web")]):
        raise KeyError
    assert services.states() == {"shop-web": "running"}


def test_an_order_to_end_is_heard_when_services_run_again(services: Services) -> None:
    services.compose("web")

    def read() -> None:
        with services.hooked(stop=[of("web")]):
            os.kill(os.getpid(), signal.SIGTERM)

    with services.ending as ending:
        ending.interrupt_after(60)
        with pytest.raises(EndedError):
            read()
    assert services.states() == {"shop-web": "running"}


@pytest.mark.parametrize("change", [("start", "shop-web"), ("rm", "shop-web"), ("restart", "shop-web")])
def test_a_service_that_someone_touches_while_it_is_read_fails_the_run(
    services: Services, change: tuple[str, str]
) -> None:
    services.compose("web")
    services.compose("db")
    with (
        pytest.raises(StrongroomError, match="was to stand still") as raised,
        services.hooked(stop=[of("web"), of("db")]),
    ):
        services.engine.docker(*change)
    assert raised.value.reason is Reason.HookFailed
    assert set(services.states().values()) == {"running"}
    assert services.journal.entries() == []


def test_hooks_of_a_source_lie_within_those_of_the_order(services: Services) -> None:
    services.compose("web")
    services.compose("db")
    with services.hooked(stop=[of("web")]):
        with services.hooked("media", stop=[of("db"), of("web")]):
            assert set(services.states().values()) == {"exited"}
        assert services.states() == {"shop-db": "running", "shop-web": "exited"}
    assert set(services.states().values()) == {"running"}


def test_commands_run_in_their_order_around_a_reading_that_succeeds(services: Services) -> None:
    services.compose("db")
    services.compose("web")
    hooks = {
        "before": [say("one"), say("two")],
        "stop": [of("web")],
        "after": [say("three", "web"), say("four")],
        "onFailure": [say("never")],
    }
    with services.hooked(**hooks):
        assert services.said() == ["one", "two"]
    assert services.said() == ["one", "two", "three", "four"]


def test_after_a_reading_that_fails_its_commands_run_before_the_others(services: Services) -> None:
    services.compose("db")
    with (
        pytest.raises(KeyError),
        services.hooked(after=[say("after")], onFailure=[say("failed"), say("sadly")]),
    ):
        raise KeyError
    assert services.said() == ["failed", "sadly", "after"]


def test_a_command_that_fails_before_ends_the_run_unread_and_tells_what_it_said(services: Services) -> None:
    services.compose("db")
    services.compose("web")
    complaint = command(["sh", "-c", "echo no room; exit 3"])
    with (
        pytest.raises(StrongroomError, match=r"hooks.before\[0\].*exit code 3: no room") as raised,
        services.hooked(
            before=[complaint], stop=[of("web")], after=[say("after")], onFailure=[say("failed")]
        ),
    ):
        raise AssertionError("it was read")
    assert raised.value.reason is Reason.HookFailed
    assert services.said() == ["failed", "after"]
    assert set(services.states().values()) == {"running"}


def test_a_command_that_fails_afterwards_fails_the_run_and_keeps_no_other_from_running(
    services: Services,
) -> None:
    services.compose("db")
    with (
        pytest.raises(StrongroomError, match=r"hooks.after\[0\]: false in container shop-db"),
        services.hooked(after=[command(["false"]), say("last")]),
    ):
        pass
    assert services.said() == ["last"]
    assert services.journal.entries() == []


def test_a_command_that_takes_too_long_is_ended_and_has_failed(services: Services) -> None:
    services.compose("db")
    with (
        pytest.raises(StrongroomError, match=r"hooks.before\[0\].*longer than 1 seconds"),
        services.hooked(before=[command(["sleep", "4711"], timeout="1s")]),
    ):
        raise AssertionError("it was read")
    assert "4711" not in services.engine.docker("top", "shop-db")


def test_a_command_is_an_argument_list_that_no_shell_reads(services: Services) -> None:
    services.compose("db")
    words = ["$(touch /log/one)", "`touch /log/two`", "; touch /log/three", "a  b\n*"]
    with services.hooked(before=[command(["sh", "-c", 'printf "%s|" "$@" > /log/words', "sh", *words])]):
        pass
    assert (services.log / "words").read_text() == "".join(f"{word}|" for word in words)
    assert [path.name for path in services.log.iterdir()] == ["words"]


def test_without_a_place_for_its_journal_a_worker_stops_nothing(services: Services) -> None:
    services.compose("web")
    hooks = Hooks.model_validate({"stop": [of("web")]})
    task = dataclasses.replace(services.task(hooks), journal=None)
    with pytest.raises(StrongroomError, match="--journal"), hooked(task, hooks):
        raise AssertionError("it was read")
    assert services.states() == {"shop-web": "running"}
