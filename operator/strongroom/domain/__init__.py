"""What should happen? Every decision of Strongroom: slots, retention, freshness, the next step of a run, which Job.

Belongs here: pure functions from values (with `now` and ids among them) to values.
Forbidden: I/O, clocks, randomness, and imports of any room but `api`.
"""
