"""What follows from listings, for any history of backups, prunings, losses and returns."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from domain_objects import SHA, meta, store
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.api.backuprun import BackupRunStatus
from strongroom.api.resources import BackupRun, parse_run
from strongroom.api.result import CataloguePoint, Copy, RetentionOutcome
from strongroom.domain.catalogues import (
    MOST_EXPECTED,
    Complete,
    Drop,
    Found,
    Known,
    Listing,
    Lost,
    Rebuild,
    Trust,
    decide_absences,
    decide_page,
    find_expected,
    judge_point,
)
from strongroom.domain.foundruns import build_found_run, build_found_status, with_found_copy, with_lost_copy
from strongroom.domain.runrecords import record_run
from strongroom.domain.runs import Rest, RunFacts, next_step
from strongroom.domain.storesyncs import SYNC_EVERY, SYNC_SPREAD, Synced, Walk, begin_walk, next_sync

START = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STORES = ("near", "far")


def point(name: str, uid: str, ended: datetime, **changes: object) -> CataloguePoint:
    artifact = {"source": "db", "kind": "database", "file": "db/x.dump", "plainBytes": 1, "plainSha256": SHA}
    artifact |= {"storedBytes": 1, "storedSha256": SHA}
    artifact["verification"] = {"level": "Full", "readBack": True, "time": ended.isoformat()}
    base = {"recoveryPoint": f"default/orders/{uid}", "policy": "orders", "policyUid": "p1", "run": name}
    base |= {
        "runUid": uid,
        "reason": "Manual",
        "slot": ended,
        "startedAt": ended - MINUTE,
        "finishedAt": ended,
    }
    base |= {"outcome": "Succeeded", "complete": True, "signature": "Unsigned", "manifestSha256": SHA}
    return CataloguePoint.model_validate(base | {"artifacts": [artifact]} | changes)


class Simulation:
    """Stores, and the runs that a control plane knows of them."""

    def __init__(self) -> None:
        self.now = START
        self.points: dict[str, dict[str, CataloguePoint]] = {name: {} for name in STORES}
        self.hidden: dict[str, dict[str, CataloguePoint]] = {name: {} for name in STORES}
        self.runs: dict[str, BackupRun] = {}
        self.made = 0

    def tick(self) -> datetime:
        self.now += MINUTE
        return self.now

    def backup(self, where: tuple[str, ...], pruned: str | None = None) -> None:
        """A run of this control plane, in the stores `where`; retention deletes one recovery point there."""
        self.made += 1
        name = f"run-{self.made % 4}-{self.made}"
        uid, ended = f"uid-{self.made}", self.tick()
        found = point(name, uid, ended)
        deletions = []
        for each in where:
            self.points[each][uid] = found
            gone = self.points[each].pop(pruned, None) if pruned else None
            if gone is not None:
                deletions.append(RetentionOutcome(store=each, deleted_runs=[gone.run]))
        status = BackupRunStatus(
            phase="Succeeded", policy_uid="p1", completion_time=ended, recovery_point=found.recovery_point,
            artifacts=found.artifacts, manifest_sha256=SHA, retention=deletions,
            copies=[Copy(store=each, state="Succeeded") for each in where],
        )  # fmt: skip
        body = {
            "metadata": meta(name, ended, uid=uid),
            "spec": {"policy": "orders"},
            "status": status.to_api(),
        }
        self.runs[name] = parse_run(body)

    def listing(self, store_name: str) -> tuple[Listing, list[CataloguePoint]]:
        began = self.tick()
        points = sorted(self.points[store_name].values(), key=lambda each: each.recovery_point)
        return Listing(store_name, began), points

    def known(self) -> Known:
        return Known([record_run(run) for run in self.runs.values()])

    def take_in(self, listing: Listing, points: list[CataloguePoint], *, lose_status: bool = False) -> int:
        """Carry out what follows; how much that was."""
        done = 0
        for action in list(decide_page(points, self.known(), listing)):
            self._carry_out(action, listing, lose_status=lose_status)
            done += 1
        seen = {each.run_uid: frozenset({each.recovery_point}) for each in points}
        for action in list(decide_absences(seen, self.known(), listing)):
            self._carry_out(action, listing)
            done += 1
        return done

    def sync(self, store_name: str) -> int:
        return self.take_in(*self.listing(store_name))

    def _carry_out(self, action: object, listing: Listing, *, lose_status: bool = False) -> None:
        match action:
            case Rebuild(found, name):
                assert name not in self.runs
                body = build_found_run(found, listing.store, "default", name)
                body["metadata"] |= meta(name, self.tick(), uid=f"new-{found.run_uid}-{self.now.timestamp()}")
                self.runs[name] = parse_run(body)
                assert_never_started(self.runs[name], self.now)
                if not lose_status:
                    self._complete(name, found, listing)
            case Complete(record, found):
                self._complete(record.name, found, listing)
            case Found(record, found):
                self._write(record.name, with_found_copy(self.runs[record.name].status, found, listing.store))
            case Lost(record, reason, message):
                old = self.runs[record.name].status
                self._write(record.name, with_lost_copy(old, listing.store, reason, message))
            case Drop(record):
                assert not self.runs[record.name].status.copies
                del self.runs[record.name]

    def _complete(self, name: str, found: CataloguePoint, listing: Listing) -> None:
        self._write(name, build_found_status(found, listing.store, self.now))

    def _write(self, name: str, status: BackupRunStatus) -> None:
        old = self.runs[name]
        assert old.status.phase in ("Pending", status.phase), "a terminal phase never changes"
        self.runs[name] = replace(old, status=status)

    def held(self, store_name: str) -> dict[str, str]:
        """Good copies by the uid of the run, as the runs tell."""
        records = [record_run(run) for run in self.runs.values()]
        good = [each for each in records if store_name in each.good_stores and not each.pruned]
        return {record.identity: record.name for record in good}


def assert_never_started(run: BackupRun, now: datetime) -> None:
    facts = RunFacts(run, None, None, None, had_job=False, host_is_alive=True, busy=None, now=now)
    assert isinstance(next_step(facts), Rest)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["backup", "prune", "vanish", "return", "forget", "sync", "sync-lost", "rebuild"]),
        st.sampled_from(STORES),
        st.integers(0, 20),
    ),
    max_size=25,
)


def play(world: Simulation, event: str, where: str, number: int) -> None:
    held = sorted(world.points[where])
    chosen = held[number % len(held)] if held else None
    match event:
        case "backup":
            world.backup(STORES if number % 3 else (where,))
        case "prune":
            world.backup((where,), chosen)
        case "vanish" if chosen is not None:
            world.hidden[where][chosen] = world.points[where].pop(chosen)
        case "return":
            world.points[where] |= world.hidden[where]
            world.hidden[where] = {}
        case "forget" if world.runs:
            del world.runs[sorted(world.runs)[number % len(world.runs)]]
        case "sync":
            world.sync(where)
        case "sync-lost":
            world.take_in(*world.listing(where), lose_status=True)
        case "rebuild":
            world.runs = {}
        case _:
            pass


@settings(max_examples=150, deadline=None)
@given(EVENTS)
def test_after_a_sync_the_runs_tell_exactly_what_the_stores_hold_and_a_second_one_changes_nothing(events):
    world = Simulation()
    for event in events:
        play(world, *event)
    for where in STORES:
        world.sync(where)
    for where in STORES:
        assert set(world.held(where)) == set(world.points[where])
        assert world.sync(where) == 0
    assert all(run.status.phase != "Pending" for run in world.runs.values())


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.sampled_from(STORES))
def test_a_listing_that_was_overtaken_resurrects_nothing_that_retention_deleted_meanwhile(events, where):
    world = Simulation()
    for event in events:
        play(world, *event)
    world.backup((where,))
    listing, points = world.listing(where)
    deleted = points[0]
    world.backup((where,), deleted.run_uid)
    world.runs = {name: run for name, run in world.runs.items() if name != deleted.run}
    world.take_in(listing, points)
    assert deleted.run not in world.runs


def test_a_listing_that_began_before_a_run_ended_says_nothing_of_its_copy():
    world = Simulation()
    listing, points = world.listing("near")
    world.backup(("near",))
    assert world.take_in(listing, points) == 0
    assert set(world.held("near")) == {"uid-1"}


def test_a_copy_with_another_manifest_or_without_its_files_is_none():
    for change in ({"manifest_sha256": "1" * 64}, {"complete": False}):
        world = Simulation()
        world.backup(STORES)
        world.points["near"]["uid-1"] = world.points["near"]["uid-1"].model_copy(update=change)
        world.sync("near")
        assert not world.held("near")
        assert set(world.held("far")) == {"uid-1"}


def test_a_copy_that_failed_for_another_reason_is_not_made_good_by_a_listing():
    world = Simulation()
    world.backup(("near",))
    run = world.runs["run-1-1"]
    corrupt = [Copy(store="near", state="Failed", reason="ArtifactCorrupt")]
    world.runs["run-1-1"] = replace(run, status=run.status.model_copy(update={"copies": corrupt}))
    assert world.sync("near") == 0


def test_a_run_under_way_is_left_alone():
    world = Simulation()
    world.backup(("near",))
    run = world.runs["run-1-1"]
    world.runs["run-1-1"] = replace(run, status=BackupRunStatus(phase="Running"))
    assert world.sync("near") == 0
    world.points["near"] = {}
    assert world.sync("near") == 0


def test_signatures_count_where_a_policy_asks_for_them_or_a_key_is_known():
    at = START
    asked, keyed, none = Trust(frozenset({"orders"}), has_keys=True), Trust(has_keys=True), Trust()
    answers = {
        signature: [
            judge_point(point("r", "u", at, signature=signature), trust) for trust in (asked, keyed, none)
        ]
        for signature in ("Valid", "Unsigned", "Untrusted", "Invalid")
    }
    assert answers == {
        "Valid": ["Found", "Found", "Found"],
        "Unsigned": ["Refused", "Found", "Found"],
        "Untrusted": ["Refused", "Refused", "Found"],
        "Invalid": ["Refused", "Refused", "Refused"],
    }


def test_a_manifest_that_the_run_itself_told_of_needs_no_signature():
    world = Simulation()
    world.backup(("near",))
    listing, points = world.listing("near")
    asked = replace(listing, trust=Trust(frozenset({"orders"}), has_keys=True))
    assert world.take_in(asked, points) == 0
    world.runs = {}
    assert world.take_in(asked, points) == 0
    assert world.runs == {}


READY = {"conditions": [{"type": "Ready", "status": "True", "reason": "Reached", "observedGeneration": 1,
                         "lastTransitionTime": START.isoformat()}]}  # fmt: skip


def test_a_catalogue_is_read_at_first_sight_then_every_few_hours_and_whenever_asked():
    ready = store(status=READY)
    assert next_sync(store(), None, START) is None
    assert next_sync(ready, None, START) == START
    last = Synced(1, START, succeeded=True, request=None)
    again = next_sync(ready, last, START)
    assert SYNC_EVERY <= again - START <= SYNC_EVERY + SYNC_SPREAD
    assert again == next_sync(ready, last, START + MINUTE)
    asked = replace(
        ready, meta=ready.meta.model_copy(update={"annotations": {"strongroom.dev/sync-requested": "x"}})
    )
    assert next_sync(asked, last, START) == START
    assert next_sync(asked, replace(last, request="x"), START) == again
    assert next_sync(ready, last, START - MINUTE) == START - MINUTE
    assert next_sync(ready, replace(last, generation=0), START) == START


def test_folders_of_machines_are_read_from_every_host_and_nothing_is_missed_while_one_is_down():
    walk = begin_walk(store(), ["a", "b"], ["b"], START)
    assert (walk.hosts, walk.absent) == (("b",), ("a",))
    assert not replace(walk, hosts=()).is_whole
    bucket = store(s3={"bucket": "backups"})
    assert begin_walk(bucket, ["a", "b"], ["a", "b"], START).hosts == ("a",)
    assert Walk(1, None, START, ()).is_whole


def test_what_was_copied_lately_is_expected_newest_first_and_what_retention_deleted_is_not():
    world = Simulation()
    world.backup(STORES)
    world.backup(("far",))
    world.backup(("near",), "uid-1")
    listing, _ = world.listing("near")
    assert find_expected(world.known(), listing) == ["default/orders/uid-3", "default/orders/uid-1"]
    world.sync("near")
    assert find_expected(world.known(), listing) == ["default/orders/uid-3"]
    assert find_expected(world.known(), replace(listing, began=world.now + timedelta(days=2))) == []
    for _ in range(MOST_EXPECTED):
        world.backup(("near",))
    assert len(find_expected(world.known(), world.listing("near")[0])) == MOST_EXPECTED
