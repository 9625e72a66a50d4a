from datetime import timedelta

from domain_objects import at, host

from strongroom.domain.hosts import judge_host, renewal_ends, see_renewal
from strongroom.kube.leases import micro_time

NOW = at("2026-11-22T02:00Z")
SECOND = timedelta(seconds=1)


def lease(renewed, holder="agent-1"):
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 40, "renewTime": micro_time(renewed)}
    return {"spec": spec}


def ready(renewal, now):
    return judge_host(host(), renewal_ends(renewal), now).status


def test_a_host_is_ready_while_its_lease_is_renewed_and_not_after():
    seen = see_renewal(lease(NOW - 10 * SECOND), None, NOW)
    assert ready(seen, NOW) == "True"
    later = NOW + 31 * SECOND
    assert ready(see_renewal(lease(NOW - 10 * SECOND), seen, later), later) == "False"


def test_a_host_without_a_lease_or_with_one_that_was_given_up_is_not_ready():
    assert ready(see_renewal(None, None, NOW), NOW) == "False"
    seen = see_renewal(lease(NOW), None, NOW)
    assert ready(see_renewal(lease(NOW, holder=None), seen, NOW), NOW) == "False"


def test_an_agent_whose_clock_is_behind_is_alive_once_it_is_seen_to_renew():
    behind = NOW - timedelta(hours=2)
    seen = see_renewal(lease(behind), None, NOW)
    assert ready(seen, NOW) == "False"
    seen = see_renewal(lease(behind + 10 * SECOND), seen, NOW + 10 * SECOND)
    assert ready(seen, NOW + 49 * SECOND) == "True"
    assert ready(seen, NOW + 51 * SECOND) == "False"


def test_an_agent_whose_clock_is_ahead_does_not_outlive_its_lease():
    seen = see_renewal(lease(NOW + timedelta(hours=2)), None, NOW)
    assert ready(seen, NOW + 39 * SECOND) == "True"
    assert ready(seen, NOW + 41 * SECOND) == "False"


def test_a_renewal_from_before_the_last_one_is_not_news_of_a_living_agent():
    seen = see_renewal(lease(NOW), None, NOW)
    assert ready(see_renewal(lease(NOW - timedelta(hours=1)), seen, NOW), NOW) == "False"


def test_when_our_own_clock_is_set_back_a_dead_host_is_not_ready_for_longer_than_its_lease():
    seen = see_renewal(lease(NOW), None, NOW)
    earlier = NOW - timedelta(hours=1)
    seen = see_renewal(lease(NOW), seen, earlier)
    assert ready(seen, earlier + 41 * SECOND) == "False"
