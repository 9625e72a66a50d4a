from dataclasses import replace
from datetime import timedelta

from domain_objects import at, store

from strongroom.api.conditions import find_condition
from strongroom.api.result import StoreReport
from strongroom.domain.stores import Contact, StoreFacts, build_store_status, next_check

NOW = at("2026-11-22T02:00Z")
MISSING = StoreReport(store="vault", ready=False, reason="StoreMissing", message="no such folder")
FINE = StoreReport(store="vault", ready=True, recovery_points=2, total_bytes=20)


def facts(*contacts, of=None, hosts=("default/a", "default/b"), live=None):
    return StoreFacts(
        store=of or store(),
        contacts=contacts,
        hosts=hosts,
        live_hosts=hosts if live is None else live,
        records=[],
        now=NOW,
    )


def said(host, report, *, ago=timedelta(minutes=1)):
    return Contact(host, NOW - ago, 1, report, is_check=True)


def ready(of):
    return find_condition(build_store_status(of).conditions, "Ready")


def test_a_complaint_from_a_host_in_use_stands_against_every_other_word():
    found = ready(facts(said("default/a", MISSING), said("default/b", FINE)))
    assert (found.status, found.reason) == ("False", "StoreMissing")
    assert "default/a" in found.message


def test_a_complaint_from_a_host_that_no_policy_uses_any_more_is_forgotten():
    moved = facts(said("default/a", MISSING), said("default/b", FINE), hosts=("default/b",))
    assert ready(moved).status == "True"


def test_a_complaint_from_a_host_in_use_stands_while_that_host_is_down():
    down = facts(said("default/a", MISSING), said("default/b", FINE), live=("default/b",))
    assert ready(down).status == "False"


def test_the_last_contact_is_told_to_the_second():
    status = build_store_status(facts(said("default/a", FINE, ago=timedelta(microseconds=5))))
    assert status.last_contact_time == at("2026-11-22T01:59:59Z")


def test_a_store_whose_name_no_policy_could_write_is_refused_and_never_checked():
    for name in ("nas.example", "n" * 64):
        odd = store(name)
        found = ready(facts(of=odd))
        assert (found.status, found.reason) == ("False", "InvalidSpec")
        assert "metadata.name" in found.message
        assert next_check(facts(of=odd), None) is None


def test_a_place_that_is_shared_is_told_with_names_and_a_way_out_and_no_longer_than_that():
    both = replace(facts(), same_place=["attic", "cellar"])
    status = build_store_status(both)
    found = find_condition(status.conditions, "PlaceShared")
    assert (found.status, found.reason) == ("True", "SamePlace")
    assert "attic, cellar" in found.message
    alone = replace(both, store=replace(both.store, status=status), same_place=[])
    assert find_condition(build_store_status(alone).conditions, "PlaceShared") is None
