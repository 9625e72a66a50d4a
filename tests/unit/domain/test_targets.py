"""Which runs touch the same thing: databases over the network and in containers, and services that hooks stop."""

import pytest
from domain_objects import container_source, database

from strongroom.api.dockerhost import DatabaseService
from strongroom.api.hooks import Hooks
from strongroom.api.sources import Source
from strongroom.domain.targets import Place, Work, find_targets, overlap

ONE = Place("default/one")
FOUND = Place("default/one", [DatabaseService.model_validate(database(policy="orders"))])
SERVICE = {"project": "shop", "service": "db"}


def source(**postgres):
    base = {"host": "localhost", "user": "u"}
    return Source.model_validate({"name": "s", "postgres": base | postgres})


def work(*sources):
    return Work("default", "orders", sources)


@pytest.mark.parametrize(
    ("ours", "theirs", "same_host", "shared"),
    [
        ({"databases": ["a"]}, {"databases": ["a", "b"]}, True, True),
        ({"databases": ["a"]}, {"databases": ["b"]}, True, False),
        ({"databases": ["a"]}, {"allDatabases": True}, True, True),
        ({"databases": ["a"]}, {"databases": ["a"], "port": 5433}, True, False),
        ({"databases": ["a"]}, {"databases": ["a"], "host": "127.0.0.1"}, True, True),
        ({"databases": ["a"]}, {"databases": ["a"]}, False, False),
        ({"databases": ["a"], "host": "db"}, {"databases": ["a"], "host": "db"}, False, False),
        ({"databases": ["a"], "host": "DB.lan"}, {"databases": ["a"], "host": "db.lan"}, False, True),
    ],
)
def test_targets_overlap_when_the_same_database_of_the_same_server_is_read(ours, theirs, same_host, shared):
    left = find_targets(work(source(**ours)), Place("default/one"))
    right = find_targets(work(source(**theirs)), Place("default/one" if same_host else "default/two"))
    assert (overlap(left, right) is not None) == shared


def inside(policy="orders", *, hooks=None, place=ONE, **postgres):
    sources = [Source.model_validate(container_source(**postgres))]
    told = None if hooks is None else Hooks.model_validate(hooks)
    return find_targets(Work("default", policy, sources, told), place)


def files(policy="media", *, hooks=None, place=ONE, writes=False, **source):
    sources = [Source.model_validate({"name": "media", "files": source or {"volume": "shop_media"}})]
    told = None if hooks is None else Hooks.model_validate(hooks)
    return find_targets(Work("default", policy, sources, told, writes=writes), place)


def test_two_policies_never_read_one_container_at_the_same_time():
    assert overlap(inside("a"), inside("b")) is not None
    assert overlap(inside(container=SERVICE, databases=["x"]), inside(container=SERVICE)) is not None
    ours, theirs = ({"container": SERVICE, "databases": [name]} for name in "xy")
    assert overlap(inside(**ours), inside(**theirs)) is None
    elsewhere = inside(place=Place("default/two"))
    assert overlap(inside(), elsewhere) is None


def test_a_service_a_container_and_a_label_are_one_where_the_agent_found_them_to_be():
    by_name, by_label = {"container": {"name": "shop-db-1"}}, {"labelled": True}
    ways = [inside(place=FOUND, **way) for way in ({}, by_name, by_label)]
    assert len(set(ways)) == 1
    assert overlap(inside("other", place=FOUND, **by_label), ways[0]) is None


def test_any_number_of_policies_may_read_files_at_the_same_time():
    in_container = {"inContainer": {"container": {"project": "shop", "service": "web"}, "path": "/media"}}
    for place in ({}, {"path": "/srv/media"}, in_container):
        assert overlap(files("a", **place), files("b", **place)) is None


def test_nobody_reads_files_while_a_restore_writes_them():
    in_container = {"inContainer": {"container": {"project": "shop", "service": "web"}, "path": "/media"}}
    for place in ({}, {"path": "/srv/media"}, in_container):
        assert overlap(files("a", writes=True, **place), files("b", **place)) is not None
    assert overlap(files("a", writes=True), files("b", volume="shop_other")) is None


@pytest.mark.parametrize("verb", ["stop", "pause"])
def test_nobody_reads_or_stops_what_another_run_has_stopped(verb):
    web = {verb: [{"project": "shop", "service": "web"}]}
    assert overlap(files("a", hooks=web), files("b", hooks=web)) is not None
    held = {"inContainer": {"container": {"project": "shop", "service": "web"}, "path": "/media"}}
    assert overlap(files("a", hooks=web), files("b", **held)) is not None
    assert overlap(files("a", hooks={verb: [SERVICE]}), inside("b")) is not None
    assert overlap(files("a", hooks={verb: [SERVICE]}, place=FOUND), inside("b", place=FOUND)) is not None
    assert overlap(files("a", hooks=web), inside("b")) is None


def test_the_hooks_of_a_single_source_count_like_those_of_the_policy():
    web = [{"project": "shop", "service": "web"}]
    source = {"name": "media", "files": {"volume": "shop_media"}, "hooks": {"stop": web}}
    hooked = find_targets(Work("default", "a", [Source.model_validate(source)]), ONE)
    assert overlap(hooked, files("b", hooks={"stop": web})) is not None
