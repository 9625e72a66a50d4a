from dataclasses import replace
from datetime import timedelta

import pytest
from domain_objects import CREATED, at, container_source, host, job_body, policy, run, store
from hypothesis import given
from hypothesis import strategies as st

from strongroom.api.conditions import find_condition
from strongroom.api.errors import Reason
from strongroom.domain.history import find_forgettable, find_pruned
from strongroom.domain.jobs import build_job, build_store_check_job
from strongroom.domain.jobstates import parse_job
from strongroom.domain.names import check_job_name, job_name, run_name
from strongroom.domain.policies import Surroundings, find_problems, resolve_host
from strongroom.domain.policystatus import PolicyFacts, build_policy_status
from strongroom.domain.runrecords import Deletions, record_run
from strongroom.domain.schedule import parse_schedule
from strongroom.domain.targets import Work

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
NOW = at("2026-11-22T12:00Z")


def record(name, day=21, phase="Succeeded", **changes):
    moment = at(f"2026-11-{day:02}T02:00Z")
    made = record_run(run(name, created=moment, status={"phase": phase}))
    held = ("vault",) if phase in ("Succeeded", "Partial") else ()
    return replace(made, completed=moment + timedelta(minutes=2), good_stores=held, size_bytes=7, **changes)


def status(of=None, records=(), **changes):
    of = of or policy()
    base = {
        "policy": of,
        "schedule": changes["schedule"]
        if "schedule" in changes
        else parse_schedule(of.spec.schedule, of.spec.time_zone),
        "problem": None,
        "records": records,
        "stores": {"vault": store().spec},
        "shared_with": [],
        "last_slot": at("2026-11-22T02:00Z"),
        "now": NOW,
    }
    return build_policy_status(PolicyFacts(**base | changes))


def condition(of, type_):
    found = find_condition(of.conditions, type_)
    return (found.status, found.reason)


def test_a_policy_with_a_young_verified_backup_is_fresh_until_its_gap_has_passed():
    seen = status(records=[record("a", 22)])
    assert condition(seen, "Fresh") == ("True", "Fresh")
    assert seen.fresh_until == at("2026-11-22T02:00Z") + timedelta(hours=24 * 1.05)
    assert seen.last_success.run == "a"
    assert seen.next_schedule_time == at("2026-11-23T02:00Z")


def test_failed_and_partial_runs_do_not_make_a_policy_fresh():
    seen = status(records=[record("old", 20), record("bad", 22, "Failed"), record("half", 22, "Partial")])
    assert condition(seen, "Fresh") == ("False", "Stale")
    assert seen.last_success.run == "old"
    assert "half" in seen.message or "bad" in seen.message


def test_without_any_backup_a_policy_is_not_fresh():
    assert condition(status(), "Fresh") == ("False", "NoVerifiedBackup")
    assert condition(status(), "CopiesSatisfied") == ("False", "NoVerifiedBackup")


def test_a_success_is_remembered_when_its_run_was_deleted_by_hand():
    before = status(records=[record("a", 22)])
    again = status(policy(status=before.to_api()))
    assert again.last_success == before.last_success


def test_nothing_changes_when_nothing_happened():
    before = status(records=[record("a", 22)])
    later = status(policy(status=before.to_api()), records=[record("a", 22)], now=NOW + timedelta(hours=1))
    assert later == before


def test_a_suspended_policy_has_no_next_slot_and_says_so():
    seen = status(policy(suspend=True))
    assert seen.next_schedule_time is None
    assert condition(seen, "Ready") == ("True", "Suspended")


def test_a_slot_decided_in_the_future_makes_the_clock_suspect():
    seen = status(last_slot=NOW + timedelta(days=365))
    assert condition(seen, "Ready") == ("False", "ClockSuspect")


def test_shared_targets_and_blocked_retention_stand_only_while_true():
    seen = status(records=[record("a", 22, blocked=("vault: listing failed",))], shared_with=["other"])
    assert condition(seen, "TargetShared")[0] == "True"
    assert condition(seen, "RetentionBlocked")[0] == "True"
    after = status(policy(status=seen.to_api()), records=[record("a", 22)])
    assert find_condition(after.conditions, "TargetShared") is None
    assert find_condition(after.conditions, "RetentionBlocked") is None


def test_points_and_bytes_are_those_the_first_store_still_holds():
    seen = status(
        records=[record("a", 20), record("b", 21, pruned=True), record("c", 22), record("d", 22, "Failed")]
    )
    assert (seen.artifact_count, seen.total_bytes) == (2, 14)


def test_a_store_that_is_down_makes_a_policy_unready_only_if_too_few_are_left():
    down = {
        "type": "Ready",
        "status": "False",
        "reason": "StoreMissing",
        "lastTransitionTime": "2026-11-22T02:00:00Z",
    }
    stores = {
        name: store(name, {"conditions": [down]} if name == "usb" else None)
        for name in ("vault", "usb", "nas")
    }
    around = Surroundings(stores=stores, site=host())

    def troubles(**spec):
        return [problem.reason.name for problem in find_problems(policy(stores=list(stores), **spec), around)]

    assert troubles() == ["StoreMissing"]
    assert troubles(minCopies=3) == ["StoreMissing"]
    assert troubles(minCopies=2) == []


def test_history_keeps_held_runs_and_those_with_artifacts_beside_the_limit():
    failed = [record(f"f{n}", n, "Failed") for n in range(1, 9)]
    kept = [record("good", 1), record("held", 1, "Failed", hold=True), record("now", 22, "Running")]
    assert [r.name for r in find_forgettable([*failed, *kept], 3)] == ["f1", "f2", "f3", "f4", "f5"]


def test_a_run_is_pruned_once_every_store_has_deleted_it():
    old = replace(record("old", 1), good_stores=("vault", "tape"))
    first = replace(record("a", 21), deletions=(Deletions("vault", frozenset(["old"])),))
    second = replace(record("b", 22), deletions=(Deletions("tape", frozenset(["old"])),))
    assert find_pruned([old, first]) == []
    assert find_pruned([old, first, second]) == [old]
    assert find_pruned([replace(old, pruned=True), first, second]) == []


names = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")


@given(
    names,
    st.text(max_size=40),
    st.datetimes(timezones=st.just(NOW.tzinfo), min_value=at("1990-01-01").replace(tzinfo=None)),
)
def test_names_of_children_fit_and_are_the_same_twice(policy_name, uid, slot):
    made = run_name(policy_name, uid, slot)
    assert made == run_name(policy_name, uid, slot)
    assert len(made) <= 63
    assert len(job_name(made, uid)) <= 63
    assert len(check_job_name(policy_name, uid, "default/x", slot)) <= 63
    assert made != run_name(policy_name, uid + "x", slot)


def test_a_host_is_found_at_home_first_and_elsewhere_only_where_allowed():
    home, abroad = host(), host(namespace="infra", allowedNamespaces=["default"])
    closed = host(namespace="other")
    assert resolve_host("local", "default", [closed, abroad, home]) is home
    assert resolve_host("local", "default", [closed, abroad]) is abroad
    assert resolve_host("local", "default", [closed]) is None


def test_a_job_is_addressed_to_its_host_and_no_node_of_a_cluster_fits_it():
    body = build_job(run(), policy(), [store()], host(), ["kept"], "image")
    assert body["spec"]["managedBy"] == "strongroom.dev/agent"
    assert body["spec"]["parallelism"] == 0
    assert body["spec"]["template"]["spec"]["nodeSelector"] == {"strongroom.dev/runs-on": "docker-host"}


def test_a_job_reads_back_as_what_was_ordered():
    state = parse_job(job_body(run(), created=CREATED))
    assert (state.run, state.host) == ("r1", ("default", "local"))
    assert state.order is not None
    assert state.order.run_uid == "uid-r1"
    assert [store.name for store in state.stores] == ["vault"]
    assert state.deadline == timedelta(hours=6)
    assert state.seen_from == "default/local"
    assert state.work == Work("default", "orders", policy().spec.sources)


def test_what_is_not_to_be_trusted_in_a_store_stands_as_a_condition_until_a_run_no_longer_meets_it():
    met = {
        "store": "vault",
        "untrusted": 2,
        "untrustedMessage": "default/orders/x: its signature was removed",
    }
    records = [
        record_run(
            run(
                f"day-{day}",
                created=at(f"2026-11-{day}T02:00Z"),
                status={
                    "phase": "Succeeded",
                    "completionTime": f"2026-11-{day}T02:01:00Z",
                    "retention": [seen],
                },
            )
        )
        for day, seen in ((20, met), (21, {"store": "vault"}))
    ]
    (told,) = [each for each in status(records=records[:1]).conditions if each.type == "UntrustedPoints"]
    assert (told.status, "vault: 2 recovery points: default/orders/x" in told.message) == ("True", True)
    assert "day-20" in told.message
    assert find_condition(status(records=records).conditions, "UntrustedPoints") is None


def test_a_policy_that_signs_has_no_problem_and_its_keys_go_into_the_order():
    signing = {"privateKeySecret": {"name": "strongroom-signing", "key": "private.pem"}}
    signing |= {"trustedKeysSecret": {"name": "strongroom-signing", "key": "public.pem"}}
    signer = policy(signing=signing)
    assert problems(signer) == []
    order = parse_job(job_body(run(), of_policy=signer, created=CREATED)).order
    assert [key.key for key in order.secrets()] == ["private.pem", "public.pem"]
    assert order.backup.signing == signer.spec.signing


def test_a_store_check_belongs_to_its_store():
    body = build_store_check_job(store(), host(), NOW, "image")
    assert body["metadata"]["ownerReferences"][0]["kind"] == "BackupStore"
    assert parse_job(body | {"metadata": body["metadata"] | {"uid": "x"}}).store == "vault"


def test_a_broken_schedule_takes_back_the_word_that_the_policy_is_fresh():
    before = status(records=[record("a", 22)])
    broken = policy(schedule="61 2 * * *", status=before.to_api())
    after = status(broken, records=[record("a", 22)], schedule=None)
    assert condition(after, "Fresh") == ("Unknown", "ScheduleInvalid")
    assert after.fresh_until is None


def test_an_age_that_was_asked_for_needs_no_schedule_to_be_judged():
    asked = policy(schedule="61 2 * * *", freshness={"maxAge": "25h"})
    assert condition(status(asked, records=[record("a", 22)], schedule=None), "Fresh") == ("True", "Fresh")


def test_a_policy_without_a_host_is_not_carried_out_where_no_pods_run_and_says_so():
    around = Surroundings(stores={"vault": store()})
    lacking = next(find_problems(policy(host=None), around))
    assert (lacking.reason, lacking.blocks) == (Reason.Unsupported, True)
    assert "spec.host" in lacking.message


def test_a_policy_without_a_schedule_is_neither_fresh_nor_stale_and_has_no_next_run():
    on_demand = policy(schedule=None)
    seen = status(on_demand, records=[record("a", 20)], schedule=None, last_slot=None)
    assert condition(seen, "Fresh") == ("Unknown", "OnDemand")
    assert condition(seen, "Ready") == ("True", "Ready")
    assert (seen.next_schedule_time, seen.fresh_until) == (None, None)
    assert seen.last_success.run == "a"


def test_a_policy_without_a_schedule_that_asks_for_an_age_is_judged_by_it():
    asking = policy(schedule=None, freshness={"maxAge": "25h"})
    for day, expected in ((22, ("True", "Fresh")), (20, ("False", "Stale"))):
        assert condition(status(asking, records=[record("a", day)], schedule=None), "Fresh") == expected
    assert condition(status(asking, schedule=None), "Fresh") == ("False", "NoVerifiedBackup")


def problems(of, **host_status):
    around = Surroundings(stores={"vault": store()}, site=host(status=host_status))
    return [(problem.reason, problem.message) for problem in find_problems(of, around)]


def test_a_policy_on_demand_has_no_problem_but_a_wrong_time_zone_is_one():
    assert problems(policy(schedule=None)) == []
    ((reason, message),) = problems(policy(schedule=None, timeZone="Nowhere/Else"))
    assert (reason, "spec.timeZone" in message) == (Reason.TimeZoneInvalid, True)


def test_hooks_that_stop_the_server_they_dump_are_refused_where_they_stand():
    selector = {"project": "shop", "service": "db"}
    dumped = {"name": "database", "postgres": {"container": selector}}
    own = policy(sources=[dumped | {"hooks": {"stop": [selector]}}])
    common = policy(sources=[dumped], hooks={"pause": [selector]})
    for refused, where in ((own, "spec.sources[0].hooks: shop/db"), (common, "spec.hooks: shop/db")):
        reason, message = problems(refused)[0]
        assert (reason, message.startswith(where)) == (Reason.InvalidSpec, True)


def test_configuration_is_refused_in_the_clear_unless_the_policy_says_so():
    files = {"paths": ["/srv/shop/.env"]}
    ((reason, message),) = problems(policy(sources=[{"name": "secrets", "config": files}]))
    assert reason is Reason.EncryptionRequired
    assert all(word in message for word in ("secrets", "spec.encryption", "allowUnencrypted"))
    assert problems(policy(sources=[{"name": "secrets", "config": files | {"allowUnencrypted": True}}])) == []


def test_configuration_is_accepted_with_encryption():
    secrets = [{"name": "secrets", "config": {"paths": ["/srv/shop/.env"]}}]
    assert problems(policy(sources=secrets, encryption={"age": {"recipients": [AGE]}})) == []


@pytest.mark.parametrize("good", [AGE, AGE.upper(), f"{SSH} admin@example.com"])
def test_recipients_of_age_are_accepted(good):
    assert problems(policy(encryption={"age": {"recipients": [AGE, good]}})) == []


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("age1x", "length"),
        (AGE[:-1] + "q", "check sum"),
        ("age1pq1" + "q" * 1900, "post-quantum"),
        ("admin@example.com", "neither"),
        (SSH[:-8], "whole line"),
        ("ssh-ed25519", "whole line"),
        ("ecdsa-sha2-nistp256 AAAA", "type"),
        ("AGE-SECRET-KEY-1CANARYCANARY", "private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----CANARY", "private key"),
    ],
)
def test_a_recipient_that_does_not_parse_is_named_by_its_place_and_never_told(bad, words):
    ((reason, message),) = problems(policy(encryption={"age": {"recipients": [AGE, bad]}}))
    assert (reason, "spec.encryption.age.recipients[1]" in message) == (Reason.KeyUnusable, True)
    assert words in message
    assert "CANARY" not in message


def test_encryption_by_openssl_stands_as_a_condition_that_it_is_unauthenticated():
    openssl = {"openssl": {"passphraseSecret": {"name": "backup", "key": "passphrase"}}}
    asking = policy(encryption=openssl)
    assert condition(status(asking), "EncryptionUnauthenticated") == ("True", "OpensslEnc")
    changed = replace(policy(encryption={"age": {"recipients": [AGE]}}), status=status(asking))
    assert find_condition(status(changed).conditions, "EncryptionUnauthenticated") is None


def test_what_needs_the_engine_waits_for_it_and_what_does_not_goes_on():
    inside = policy(sources=[container_source()])
    hooked = policy(hooks={"stop": [{"project": "shop", "service": "web"}]})
    working = {"engine": {"version": "24.0.7"}}
    broken = {"engine": {"problem": "permission denied on /var/run/docker.sock"}}
    for of in (inside, hooked):
        assert problems(of, **working) == []
        ((reason, message),) = problems(of, **broken)
        assert (reason, reason.retryable) == (Reason.EngineUnreachable, True)
        assert "permission denied" in message
        assert problems(of)[0][0] is Reason.EngineUnreachable
    assert problems(policy(), **broken) == []


def test_a_job_is_told_the_hooks_around_all_sources():
    hooks = {"stop": [{"project": "shop", "service": "web"}]}
    made = build_job(run(), policy(hooks=hooks), [store()], host(), [], "image")
    work = parse_job(made | {"metadata": made["metadata"] | {"uid": "x"}}).work
    assert work is not None
    assert [str(each) for each in work.stopped()] == ["shop/web"]


def test_a_policy_that_stops_the_very_server_it_dumps_is_invalid_and_says_so():
    hooks = {"stop": [{"project": "shop", "service": "db"}]}
    for of in (
        policy(sources=[container_source()], hooks=hooks),
        policy(sources=[container_source() | {"hooks": {"pause": hooks["stop"]}}]),
    ):
        reason, message = problems(of, engine={"version": "24.0.7"})[0]
        assert (reason, "shop/db" in message) == (Reason.InvalidSpec, True)
