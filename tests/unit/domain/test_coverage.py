"""Is every database that was found on a host backed up by a policy?"""

import pytest
from domain_objects import at, container_source, database, host, policy

from strongroom.domain.coverage import find_uncovered, judge_coverage
from strongroom.domain.hosts import judge_engine

NOW = at("2026-11-22T12:00Z")
ENGINE = {"engine": {"version": "24.0.7", "apiVersion": "1.43"}}


def with_databases(*databases, **status):
    return host(status={**ENGINE, "databases": list(databases), **status})


def uncovered(of, *policies):
    return [each.container for each in find_uncovered(of, policies)]


@pytest.mark.parametrize(
    ("postgres", "covered"),
    [
        ({"container": {"project": "shop", "service": "db"}}, True),
        ({"container": {"project": "shop", "service": "db", "index": 1}}, True),
        ({"container": {"project": "shop", "service": "db", "index": 2}}, False),
        ({"container": {"project": "shop", "service": "cache"}}, False),
        ({"container": {"project": "blog", "service": "db"}}, False),
        ({"container": {"name": "shop-db-1"}}, True),
        ({"container": {"name": "shop-db-2"}}, False),
        ({"host": "127.0.0.1", "user": "u", "allDatabases": True}, False),
    ],
)
def test_a_database_is_covered_by_a_policy_whose_source_selects_its_container(postgres, covered):
    of = with_databases(database())
    assert uncovered(of, policy(sources=[container_source(**postgres)])) == ([] if covered else ["shop-db-1"])


def test_a_container_that_names_itself_has_no_number_to_choose_by():
    named = with_databases(database("maindb"))
    choosing = {"container": {"project": "shop", "service": "db", "index": 1}}
    assert uncovered(named, policy(sources=[container_source(**choosing)])) == []


@pytest.mark.parametrize(
    ("label", "covered"),
    [("orders", True), ("default/orders", True), ("other/orders", False), (None, False)],
)
def test_a_label_attaches_a_database_to_the_policy_that_it_names(label, covered):
    of = with_databases(database() if label is None else database(policy=label))
    attached = policy(sources=[container_source(labelled=True)])
    assert uncovered(of, attached) == ([] if covered else ["shop-db-1"])


def judged(of, *policies, is_alive=True):
    found = judge_coverage(of, find_uncovered(of, policies), NOW, is_alive=is_alive)
    return found.status, found.reason, found.message


def test_the_condition_names_each_database_that_no_policy_dumps():
    of = with_databases(database(), database("blog", project=None, service=None))
    status, reason, message = judged(of, policy(sources=[container_source()]))
    assert (status, reason) == ("False", "DatabasesUncovered")
    assert "container blog" in message
    assert "shop-db-1" not in message


def test_the_condition_is_true_when_all_are_covered_or_there_are_none():
    assert judged(with_databases(database()), policy(sources=[container_source()]))[:2] == ("True", "Covered")
    assert judged(with_databases())[:2] == ("True", "NoDatabases")


def test_without_agent_or_engine_nothing_is_said_of_coverage():
    assert judged(host())[0] == "Unknown"
    assert judged(with_databases(database()), is_alive=False)[0] == "Unknown"
    assert judged(with_databases(database(), engine={"problem": "connection refused"}))[0] == "Unknown"


def test_a_message_about_a_host_full_of_databases_stays_short():
    message = judged(with_databases(*(database(f"db-{n}") for n in range(128))))[2]
    assert "and 108 more" in message
    assert len(message) <= 1024


@pytest.mark.parametrize(
    ("status", "is_alive", "expected"),
    [
        (ENGINE, True, ("True", "EngineAnswers")),
        ({}, True, ("Unknown", "NoEngine")),
        ({"engine": {"problem": "connection refused"}}, True, ("False", "EngineUnreachable")),
        (ENGINE, False, ("Unknown", "HostNotReady")),
    ],
)
def test_the_engine_is_as_a_living_agent_last_said(status, is_alive, expected):
    found = judge_engine(host(status=status), NOW, is_alive=is_alive)
    assert (found.status, found.reason) == expected
