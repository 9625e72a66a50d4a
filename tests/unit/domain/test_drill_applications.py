"""The application of a drill: which database it works on, and what is told where that is not clear or it cannot be started."""

import pytest
from pydantic import ValidationError
from tests.unit.domain import domain_objects as objects

from strongroom.api.drills import DrillApplication
from strongroom.domain.drillapplications import build_application, find_application_trouble

IN_CONTAINER = {"container": {"project": "shop", "service": "db"}}
OVER_NETWORK = {"host": "db", "user": "backup"}


def spec(*servers, application=None, **drill):
    sources = [{"name": f"s{number}", "postgres": server} for number, server in enumerate(servers)]
    wanted = {"image": "shop:2", "port": 8000} | (application or {})
    return objects.policy(sources=sources, drill={"schedule": "@weekly", "application": wanted, **drill}).spec


def trouble(*servers, **more):
    return list(find_application_trouble(spec(*servers, **more)))


def test_the_only_database_that_is_named_is_the_applications():
    named = spec({**IN_CONTAINER, "databases": ["shop"]})
    assert build_application(named).database == "shop"
    assert trouble({**IN_CONTAINER, "databases": ["shop"]}) == []
    chosen = spec({**IN_CONTAINER, "databases": ["a"]}, {**OVER_NETWORK, "databases": ["b"]}, sources=["s0"])
    assert build_application(chosen).database == "a"


@pytest.mark.parametrize(
    "servers",
    [
        [IN_CONTAINER],
        [{**IN_CONTAINER, "databases": ["a", "b"]}],
        [{**IN_CONTAINER, "databases": ["a"]}, {**IN_CONTAINER, "databases": ["b"]}],
        [{"labelled": True, "databases": ["a"]}],
        [{**IN_CONTAINER, "allDatabases": True}],
    ],
)
def test_where_none_or_several_are_named_the_application_says_which(servers):
    assert "spec.drill.application.database: name the database" in trouble(*servers)[0]


def test_a_database_that_no_source_has_or_two_may_have_is_told():
    one = {**IN_CONTAINER, "databases": ["shop"]}
    assert 'no source that is drilled has a database "b"' in trouble(one, application={"database": "b"})[0]
    twice = trouble(one, {**OVER_NETWORK, "databases": ["shop"]}, application={"database": "shop"})
    assert "sources s0, s1" in twice[0]


def test_beside_a_server_of_the_hosts_own_programs_nothing_is_started():
    server = {**OVER_NETWORK, "databases": ["shop"]}
    assert "set spec.drill.image" in trouble(server)[0]
    assert trouble(server, image="postgres:15") == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "either port or exec"),
        ({"port": 80, "exec": ["true"]}, "either port or exec"),
        ({"exec": ["true"], "path": "/health"}, "go with port"),
        ({"port": 80, "environment": ["no name"]}, "environment"),
        ({"port": 80, "path": "/a b"}, "path"),
        ({"port": 80, "memory": "1T"}, "memory"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, words):
    with pytest.raises(ValidationError, match=words):
        DrillApplication.model_validate({"image": "shop:2", **fields})
