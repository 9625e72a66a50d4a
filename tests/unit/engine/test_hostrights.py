"""Which containers are as good as root on their host."""

from typing import Any

import pytest

from strongroom.engine.hostrights import find_opening, find_right


@pytest.mark.parametrize(
    "host",
    [
        {"Privileged": True},
        {"PidMode": "host"},
        {"Devices": [{"PathOnHost": "/dev/sda"}]},
        {"DeviceCgroupRules": ["b 8:* rwm"]},
        {"ReadonlyPaths": []},
        {"CapAdd": ["CAP_SYS_ADMIN"]},
        {"CapAdd": ["sys_module"]},
    ],
)
def test_rights_over_the_host_make_root_of_any_program(host: dict[str, Any]) -> None:
    assert find_right(host) is not None


def test_an_ordinary_container_has_none() -> None:
    host = {
        "Privileged": False,
        "PidMode": "",
        "Devices": [],
        "DeviceCgroupRules": None,
        "ReadonlyPaths": ["/proc/sys"],
        "CapAdd": ["NET_BIND_SERVICE"],
    }
    assert find_right(host) is None


@pytest.mark.parametrize(
    "place",
    ["/", "/etc", "/run", "/var/lib/docker/volumes/x/_data", "/run/docker.sock", "/srv/x/docker.sock"],
)
def test_the_host_or_its_engine_is_too_much_even_to_read(place: str) -> None:
    assert find_opening([(place, False)]) == f"it has {place} of the host"


@pytest.mark.parametrize(
    "place", ["/etc/cron.d", "/root/.ssh", "/usr/local/bin", "/proc/sys", "/dev/sda", "/var/spool/cron"]
)
def test_what_the_host_runs_may_be_read_and_not_written(place: str) -> None:
    assert find_opening([(place, False)]) is None
    assert find_opening([(place, True)]) is not None


def test_data_and_what_most_stacks_mount_are_no_matter() -> None:
    places = [
        "/srv",
        "/srv/shop/media",
        "/home/ada/shop/config",
        "/etc/localtime",
        "/dev/shm",
        "/mnt/disk/pg",
    ]
    assert find_opening([(place, True) for place in places]) is None


def test_the_engines_own_socket_counts_wherever_it_is() -> None:
    assert find_opening([("/srv/engine", False)], "/srv/engine/api.socket") is not None
    assert find_opening([("/srv/other", False)], "/srv/engine/api.socket") is None
