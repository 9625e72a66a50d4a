"""When a dump is laid down to be loaded by several sessions, and when its rows are loaded as they come."""

import pytest

from strongroom.sources.postgres.restoring.preparing import gains_by_jobs


@pytest.mark.parametrize(
    ("rows", "jobs", "gains"),
    [
        ([100, 100, 100, 100], 4, True),
        ([100, 100, 100, 100], 1, False),
        ([100, 100, 100, 100], 2, False),  # what two sessions save is lost by reading first
        ([900, 100, 100], 4, False),  # the largest table is one session's
        ([0, 0], 4, False),
        ([], 4, False),
    ],
)
def test_several_sessions_are_worth_waiting_for_where_no_table_is_half_of_all(rows, jobs, gains):
    assert gains_by_jobs(rows, jobs) is gains
