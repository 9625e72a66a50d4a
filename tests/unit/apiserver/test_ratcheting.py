"""Old faults do not stand in the way of updates that leave them alone."""

import pytest

from strongroom.apiserver.fielderrors import invalid, required
from strongroom.apiserver.ratcheting import new_faults

OLD = {"spec": {"size": 0, "parts": [{"count": -1}], "map": {"a.b": 1}, "deep": {"x": {"y": 1}}}}


@pytest.mark.parametrize(
    ("error", "changed", "kept"),
    [
        (invalid("spec.size", 0), {"size": 0, "other": 1}, False),
        (invalid("spec.size", -1), {"size": -1}, True),
        (invalid("spec.parts[0].count", -1), {"parts": [{"count": -1}]}, False),
        (invalid("spec.parts[0].count", -1), {"parts": [{"count": -1}, {"count": 2}]}, True),
        (invalid("spec.map[a.b]", 1), {"map": {"a.b": 1, "c": 2}}, False),
        (required("spec.deep.z"), {"deep": {"x": {"y": 1}}}, False),
        (required("spec.deep.z"), {"deep": {"x": {"y": 2}}}, True),
        (required("spec.new"), {"size": 0}, True),
        (invalid("<nil>", {}), {}, True),
    ],
)
def test_a_fault_counts_when_the_update_brings_it(error, changed, kept):
    assert bool(new_faults([error], {"spec": changed}, OLD)) is kept
