"""Which backups of earlier policies count, and for what."""

from dataclasses import replace
from datetime import timedelta

import pytest
from domain_objects import CREATED, policy, run

from strongroom.api.labels import ADOPT_ANNOTATION
from strongroom.api.resources import BackupPolicy
from strongroom.domain.adoption import counts_as_backup, find_foreign, readable_uids
from strongroom.domain.policies import Surroundings, find_problems
from strongroom.domain.runrecords import RunRecord, record_run

GOOD = {"phase": "Succeeded", "copies": [{"store": "vault", "state": "Succeeded"}]}


def record(policy_uid: str, days_after: int) -> RunRecord:
    moment = CREATED + timedelta(days=days_after)
    return record_run(run(f"r{days_after}", created=moment, status=GOOD | {"policyUid": policy_uid}))


def adopting(text: str) -> BackupPolicy:
    plain = policy()
    return replace(plain, meta=plain.meta.model_copy(update={"annotations": {ADOPT_ANNOTATION: text}}))


def test_older_backups_of_an_earlier_policy_count_and_younger_ones_of_another_do_not():
    own, earlier, elsewhere = record("uid-orders", 1), record("other", -1), record("other", 1)
    assert [counts_as_backup(policy(), each) for each in (own, earlier, elsewhere)] == [True, True, False]
    assert find_foreign(policy(), [own, earlier, elsewhere]) == [earlier, elsewhere]
    assert find_foreign(adopting("other"), [own, earlier, elsewhere]) == []


@pytest.mark.parametrize("text", ["a b", "uid,-x", ",".join(f"u{n}" for n in range(17)), "*"])
def test_an_annotation_that_cannot_be_read_adopts_nothing_is_told_and_stops_no_backup(text):
    broken = adopting(text)
    assert readable_uids(broken.meta) == []
    (told,) = [each for each in find_problems(broken, Surroundings()) if ADOPT_ANNOTATION in each.message]
    assert not told.blocks


def test_several_uids_are_separated_by_commas():
    assert readable_uids(adopting(" one, two,,one ").meta) == ["one", "two"]
