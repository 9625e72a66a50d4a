from dataclasses import replace
from datetime import timedelta

from domain_objects import at, run

from strongroom.domain.history import find_pruned
from strongroom.domain.runrecords import Deletions, record_run

HOUR = timedelta(hours=1)
T0 = at("2026-11-22T02:00Z")


def record(name, moment, *deleted):
    made = record_run(run(name, created=moment, status={"phase": "Succeeded"}))
    deletions = (Deletions("vault", frozenset(deleted)),)
    return replace(made, completed=moment + HOUR / 2, good_stores=("vault",), deletions=deletions)


def test_a_run_made_again_under_the_name_of_one_that_was_pruned_is_not_pruned():
    earlier = record("nightly", T0, "by-hand")
    again = record("by-hand", T0 + HOUR)
    assert find_pruned([earlier, again]) == []
    assert find_pruned([earlier, again, record("later", T0 + 2 * HOUR, "by-hand")]) == [again]
