"""The proof and the commit of what was read: every store on its own, so that the fast ones need not wait for the slow."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from strongroom.api.errors import StrongroomError
from strongroom.api.manifest import ManifestFile
from strongroom.stores.store import Store
from strongroom.worker.attempt import Attempt
from strongroom.worker.copying import named
from strongroom.worker.ending import EndedError
from strongroom.worker.lanes import Lanes
from strongroom.worker.making import Made, Recipe, prove_artifact
from strongroom.worker.readback import read_back
from strongroom.worker.replicating import Point
from strongroom.worker.storelanes import StoreLane
from strongroom.worker.task import Task

_GRACE_SECONDS = 5.0
"""What other stores get to end their proof when one holds the backup and the worker is to end."""


def prove_and_commit(
    task: Task,
    made: Sequence[Made],
    recipe: Recipe,
    attempt: Attempt,
    lanes: Lanes,
    seal: Callable[[list[ManifestFile]], Point],
) -> Point:
    """The recovery point, once at least one store holds the recovery point; raises when none does.

    The first store that has written all of it (the leader) is read back as far as keys are at hand. The same stored bytes need
    no second opening: of the others their digests are proved, each in its lane. `seal` makes the manifest, which a store
    gets when its own copy is proved. From the first commit on an order to end leaves the slower ones behind.
    """
    files = _prove(task, made, recipe, attempt, lanes)
    task.ending.put_off()  # whatever is asked from here on, a run that is committed has succeeded
    task.progress.enter("Commit")
    point = seal(files)
    # Each in its lane, behind its proof: the leader's is idle.
    for lane in lanes.alive:
        lane.do(functools.partial(_mark, attempt, lane.name, point))
    lanes.first_idle()
    try:
        with task.ending.interrupted_again():
            lanes.finish()
    except EndedError as ended:
        why = f"the copy was not yet proved when the worker had to end: {ended.failure.message}"
        lanes.set_aside_unfinished(_GRACE_SECONDS, why)
    lanes.report()
    return point


def _prove(
    task: Task, made: Sequence[Made], recipe: Recipe, attempt: Attempt, lanes: Lanes
) -> list[ManifestFile]:
    """What the leader proves; the next one when it fails. The others prove theirs meanwhile."""
    begun: set[str] = set()
    while True:
        leader = lanes.first_idle()
        for lane in lanes.alive:
            if lane is not leader and lane.name not in begun:
                begun.add(lane.name)
                lane.do(functools.partial(_prove_stored, made, recipe, attempt, lane.name))
        files = _lead(task, made, recipe, attempt, lanes, leader)
        if files is not None:
            return files


def _lead(
    task: Task, made: Sequence[Made], recipe: Recipe, attempt: Attempt, lanes: Lanes, leader: StoreLane
) -> list[ManifestFile] | None:
    files: list[ManifestFile] = []
    try:
        with named(leader.name):
            for each in made:
                origin = each.reading.origin
                task.progress.enter("ReadBack", origin.source, origin.database)
                files.append(prove_artifact(each, recipe, attempt.copies.stores[leader.name]))
    except StrongroomError as error:
        lanes.fail(leader, error)
        return None
    attempt.copies.verified[leader.name] = datetime.now(UTC)
    return files


def _prove_stored(made: Sequence[Made], recipe: Recipe, attempt: Attempt, name: str, store: Store) -> None:
    for each in made:
        read_back(store, dataclasses.replace(each.written(recipe), is_proved_elsewhere=True))
    attempt.copies.verified[name] = datetime.now(UTC)


def _mark(attempt: Attempt, name: str, point: Point, store: Store) -> None:
    attempt.mark(name, store, point.content, point.signature)
