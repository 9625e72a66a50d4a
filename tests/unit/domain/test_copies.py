from dataclasses import replace
from datetime import timedelta

import pytest
from domain_objects import at, host, policy, run, store
from hypothesis import given
from hypothesis import strategies as st

from strongroom.api.errors import Reason
from strongroom.api.result import Copy
from strongroom.domain.copies import (
    LOST,
    StoreCopy,
    find_missing,
    judge_copies,
    judge_run,
    merge_copies,
)
from strongroom.domain.holdings import find_holdings, find_wanted, judge_holdings
from strongroom.domain.places import find_twins, place_of, share_a_place
from strongroom.domain.policies import Surroundings, find_problems
from strongroom.domain.runrecords import Deletions, Lack, counts, newest_success, record_run

NOW = at("2026-11-22T12:00Z")
DISK = store().spec
TAPE = store(local={"path": "/x"}, media="tape", offsite=True).spec
BUCKET = {"bucket": "backups", "endpoint": "https://s3.example"}
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN78xiVUYIUdvLTX1burMQKWaSCA6hVRj1wA85iAd7OW"
KEY = {"name": "nas", "key": "id"}
SSH = {"host": "nas", "user": "u", "path": "/b", "hostKey": HOST_KEY, "privateKeySecret": KEY}


def record(name, day=21, phase="Succeeded", good=("vault",), lacks=(), **changes):
    moment = at(f"2026-11-{day:02}T02:00Z")
    made = record_run(run(name, created=moment, status={"phase": phase, "policyUid": "uid-orders"}))
    told = tuple(Lack(store, "Failed", "StoreMissing", "no folder") for store in lacks)
    done = moment + timedelta(minutes=2)
    return replace(made, completed=done, good_stores=good, lacks=told, contents="Whole", **changes)


def test_three_two_one_names_what_is_missing_and_how_to_get_it():
    assert judge_copies([StoreCopy("a", DISK), StoreCopy("b", TAPE)], NOW).status == "True"
    lacking = judge_copies([StoreCopy("a", DISK)], NOW)
    assert (lacking.status, lacking.reason) == ("False", "TooFewCopies")
    assert lacking.message == (
        "For 3-2-1 is missing: 1 more of 3 copies, the live data counted; a copy on another medium than disk; an offsite copy. "
        "Add to spec.stores: another store, one whose spec.media is not disk, one with spec.offsite true."
    )


def test_a_store_that_would_do_and_fails_is_named_with_its_reason_and_no_further_store_is_asked_for():
    lacking = judge_copies([StoreCopy("a", DISK), StoreCopy("b", TAPE, "b (StoreMissing: no folder)")], NOW)
    assert "b (StoreMissing: no folder)" in lacking.message
    assert "Add to spec.stores" not in lacking.message


def test_a_store_that_has_gone_counts_for_nothing():
    lacking = judge_copies([StoreCopy("a", DISK), StoreCopy("b", None)], NOW)
    assert lacking.reason == "TooFewCopies"
    assert "b (there is no such BackupStore" in lacking.message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"local": {"path": "/b"}}, {"local": {"path": "/b/"}}),
        (
            {"s3": BUCKET | {"prefix": "p"}},
            {"s3": BUCKET | {"prefix": "p/", "endpoint": "http://S3.example"}},
        ),
        ({"sftp": SSH}, {"sftp": SSH | {"host": "NAS", "user": "other"}}),
    ],
)
def test_two_stores_that_are_one_place_count_once(one, other):
    first, second = store(**one).spec, store(**other, media="tape", offsite=True).spec
    assert place_of(first) == place_of(second)
    judged = judge_copies([StoreCopy("a", first), StoreCopy("b", second)], NOW)
    assert judged.status == "False"
    assert "b (the same place as a)" in judged.message


def test_places_that_differ_count_each():
    specs = [
        {"local": {"path": "/b"}},
        {"local": {"path": "/b/c"}},
        {"s3": BUCKET},
        {"s3": BUCKET | {"prefix": "p"}},
        {"sftp": SSH},
        {"sftp": SSH | {"path": "/c"}},
        {"sftp": SSH | {"port": 2222}},
    ]
    assert len({place_of(store(**spec).spec) for spec in specs}) == len(specs)


def test_a_policy_whose_stores_are_one_place_is_refused_with_their_names():
    around = Surroundings(
        stores={"vault": store(), "usb": store("usb", local={"path": "/backups/"})}, site=host()
    )
    (problem,) = find_problems(policy(stores=["vault", "usb"]), around)
    assert problem.reason is Reason.InvalidSpec
    assert "vault and usb are one and the same place" in problem.message
    assert find_twins(["vault", "gone"], {"vault": DISK}) is None


specs = st.builds(
    lambda number, media, offsite: store(local={"path": f"/{number}"}, media=media, offsite=offsite).spec,
    st.integers(0, 4),
    st.sampled_from(["disk", "object", "tape"]),
    st.booleans(),
)


@given(st.lists(st.tuples(specs, st.booleans()), max_size=6))
def test_it_is_satisfied_by_two_distinct_good_places_on_a_second_medium_and_offsite_and_by_nothing_less(
    stores,
):
    copies = [StoreCopy(f"s{n}", spec, "" if good else "s (X)") for n, (spec, good) in enumerate(stores)]
    first = {}
    for spec, good in stores:
        if good:
            first.setdefault(place_of(spec), spec)
    told = list(first.values())
    enough = len(told) >= 2 and any(s.media != "disk" for s in told) and any(s.offsite for s in told)
    judged = judge_copies(copies, NOW)
    assert (judged.status == "True") is enough
    assert (find_missing(told) == {}) is enough


copies = st.lists(
    st.builds(
        Copy,
        store=st.sampled_from(["a", "b", "c"]),
        state=st.sampled_from(["Succeeded", "Failed", "Behind"]),
        reason=st.sampled_from([None, "StoreUnreachable", "ArtifactCorrupt"]),
    ),
    max_size=3,
    unique_by=lambda copy: copy.store,
)


@given(copies, copies)
def test_a_good_copy_is_lost_only_by_what_is_said_of_the_copy_itself(known, news):
    merged = {copy.store: copy for copy in merge_copies(known, news)}
    told = {copy.store: copy for copy in news}
    assert set(merged) == {copy.store for copy in known} | set(told)
    for copy in known:
        if copy.state == "Succeeded" and merged[copy.store].state != "Succeeded":
            assert told[copy.store].reason in LOST
    assert all(merged[name].state == "Succeeded" for name, copy in told.items() if copy.state == "Succeeded")


def test_a_run_is_judged_by_its_own_copies_whatever_its_age():
    stores = {"vault": DISK, "usb": TAPE}
    assert judge_run(record("old", 1, good=("vault", "usb")), stores, NOW).status == "True"
    half = judge_run(record("old", 1, lacks=["usb"]), stores, NOW)
    assert "usb (StoreMissing: no folder)" in half.message
    assert judge_run(record("gone", 1, pruned=True), stores, NOW).reason == "Pruned"
    assert judge_run(record("bad", 1, "Failed", good=()), stores, NOW) is None


def judged(records, of=None, allowed=timedelta(hours=25), now=NOW):
    of = of or policy(stores=["vault", "usb"])
    holdings = find_holdings(of, records, now)
    return judge_copies(judge_holdings(holdings, {"vault": DISK, "usb": TAPE}, records, allowed, now), now)


def test_each_store_counts_while_the_newest_verified_backup_in_it_is_young_enough():
    both = record("a", 22, good=("vault", "usb"))
    assert judged([both]).status == "True"
    newer = record("b", 23, lacks=["usb"])
    assert judged([both, newer], now=at("2026-11-23T02:30Z")).status == "True"
    late = judged([both, newer], now=at("2026-11-23T03:01Z"))
    assert late.status == "False"
    assert "its newest verified backup, a, became older than 1d1h at 2026-11-23T03:00:00Z" in late.message
    assert "usb (StoreMissing: no folder), in run b" in late.message
    later = judged([both, newer], now=at("2026-11-23T09:00Z"))
    assert later.message == late.message


def test_without_an_age_a_store_must_hold_the_newest_backup():
    both, newer = record("a", 2, good=("vault", "usb")), record("b", 3, lacks=["usb"])
    assert judged([both], allowed=None).status == "True"
    assert "is not the newest" in judged([both, newer], allowed=None).message


def test_a_copy_that_retention_deleted_from_one_store_counts_there_no_more():
    old = record("old", 21, good=("vault", "usb"))
    newer = record("new", 22, lacks=["usb"], deletions=(Deletions("usb", frozenset(["old"])),))
    vault, usb = find_holdings(policy(stores=["vault", "usb"]), [old, newer], NOW)
    assert (vault.points, usb.points, usb.newest) == (2, 0, None)


def test_a_partial_run_that_lacked_only_copies_counts_from_the_moment_that_enough_stores_hold_it():
    asks_two = policy(stores=["a", "b", "c"], minCopies=2).spec
    asks_all = policy(stores=["a", "b", "c"]).spec
    one, two = (
        record("r", 21, "Partial", good=("a",), lacks=["b", "c"]),
        record("r", 21, "Partial", good=("a", "b"), lacks=["c"]),
    )
    assert not counts(one, asks_two)
    assert counts(two, asks_two)
    assert not counts(two, asks_all)
    assert counts(record("r", 21, "Partial", good=("a", "b", "c")), asks_all)
    assert not counts(replace(two, contents="Changed"), asks_two)
    assert not counts(replace(two, contents=None), asks_two)
    assert newest_success([one, record("old", 20)], asks_two).name == "old"


def test_a_backup_whose_every_copy_was_lost_counts_no_more():
    lost = record("lost", 22, good=(), lacks=["vault"])
    assert newest_success([lost, record("old", 20)], policy().spec).name == "old"


def wanted(records, **spec):
    of = policy(stores=["vault", "usb"], **spec)
    return [(each.record.name, [lack.store for lack in each.lacks]) for each in find_wanted(of, records, NOW)]


def test_what_runs_lack_is_wanted_the_newest_first_and_only_in_stores_of_the_policy():
    records = [record("a", 20, lacks=["usb", "former"]), record("b", 21, lacks=["usb"]), record("c", 22)]
    assert wanted(records) == [("b", ["usb"]), ("a", ["usb"])]
    assert wanted([record("a", 20, lacks=["former"])]) == []


def test_nothing_is_copied_that_retention_has_deleted_or_would_delete():
    lacking = record("a", 20, lacks=["usb"])
    newer = [record("b", 21), record("c", 22)]
    assert wanted([lacking, *newer]) == [("a", ["usb"])]
    assert wanted([lacking, *newer], retention={"keepLast": 3}) == [("a", ["usb"])]
    assert wanted([lacking, *newer], retention={"keepLast": 2}) == []
    assert wanted([replace(lacking, hold=True), *newer], retention={"keepLast": 2}) == [("a", ["usb"])]
    deleting = replace(newer[0], deletions=(Deletions("vault", frozenset(["a"])),))
    assert wanted([lacking, deleting]) == []
    pruned = replace(lacking, lacks=(Lack("usb", "Failed", "Pruned", "Retention deleted it"),))
    assert wanted([pruned, *newer]) == []


def test_safety_backups_and_failed_runs_make_no_store_hold_a_verified_one():
    safety = record("safety", 22, "Partial", lacks=["usb"], reason="Safety")
    vault, _ = find_holdings(policy(stores=["vault", "usb"]), [safety, record("a", 21)], NOW)
    assert vault.newest.name == "a"
    doubtful = record("doubtful", 22, "Failed")
    vault, _ = find_holdings(policy(stores=["vault", "usb"]), [doubtful, record("a", 21)], NOW)
    assert vault.newest.name == "a"


@pytest.mark.parametrize(
    "changes",
    [
        {"phase": "Failed"},
        {"good": ()},
        {"pruned": True},
        {"is_deleting": True},
        {"policy_uid": "of an earlier policy"},
    ],
)
def test_a_run_without_a_good_copy_of_this_policy_is_not_copied(changes):
    good = changes.pop("good", ("vault",))
    phase = changes.pop("phase", "Succeeded")
    assert wanted([replace(record("a", 20, phase, good=good, lacks=["usb"]), **changes)]) == []


def test_a_folder_is_shared_on_one_host_and_a_bucket_from_anywhere():
    here, there = {"default/a"}, {"default/b"}
    assert share_a_place((DISK, here), (store(local={"path": "/x/../" + DISK.local.path}).spec, here | there))
    assert not share_a_place((DISK, here), (DISK, there)), "a path is its host's own"
    assert not share_a_place((DISK, set()), (DISK, set())), "nobody knows on which host"
    assert not share_a_place((DISK, here), (TAPE, here))
    bucket = store(local=None, s3=BUCKET | {"credentialsSecret": {"name": "keys"}}).spec
    assert share_a_place((bucket, here), (bucket, there))
