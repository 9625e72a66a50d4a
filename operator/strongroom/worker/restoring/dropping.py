"""What a restore replaced and kept, dropped when its time has come."""

from collections.abc import Sequence

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.restoreorder import DropOrder
from strongroom.api.restoring import Replaced
from strongroom.sources.postgres.restoring.databases import drop_replaced
from strongroom.sources.postgres.restoring.reaching import reach_server
from strongroom.worker.restoring.databases import build_means
from strongroom.worker.restoring.outcomes import Gathered
from strongroom.worker.restoring.steps import Steps
from strongroom.worker.restoring.trees import drop_tree
from strongroom.worker.task import Done, Task


def run_drop(task: Task, order: DropOrder) -> tuple[Done, StrongroomError | None]:
    """Drop all of it; what cannot be dropped is told as still standing, with the first failure."""
    steps, gathered = Steps(task.progress), Gathered(replaced=list(order.replaced))
    failure: StrongroomError | None = None
    dropped, missing = 0, []
    for replaced in order.replaced:
        try:
            with steps.step("DropReplaced", replaced.source):
                if _drop(task, order, replaced):
                    dropped += 1
                else:
                    missing.append(replaced.kept_as)
        except StrongroomError as error:
            failure = failure or error
        else:
            gathered.replaced.remove(replaced)
    outcome = gathered.outcome(steps.told, None, task.started_at)
    return Done(restore=outcome, message=_words(dropped, missing)), failure


def _words(dropped: int, missing: Sequence[str]) -> str:
    """What was there, and what was gone before: nobody should believe that it was this that has removed it."""
    told = [f"{dropped} dropped"] if dropped or not missing else []
    gone = [f"not there any more: {', '.join(missing)}"] if missing else []
    return "; ".join([*told, *gone])


def _drop(task: Task, order: DropOrder, replaced: Replaced) -> bool:
    """Whether it was there."""
    source = next((each for each in order.targets if each.name == replaced.source), None)
    if source is None:
        words = f"source {replaced.source} is not in the policy any more: drop {replaced.kept_as} by hand"
        raise StrongroomError(Reason.TargetMissing, words)
    if replaced.kind != "database":
        return drop_tree(task, source, replaced)
    if source.postgres is None:
        raise StrongroomError(Reason.TargetMissing, f"source {source.name} is no PostgreSQL server any more")
    reach = reach_server(
        build_means(task, order.policy),
        source.name,
        source.postgres,
        dumped_by=None,
        container=replaced.container,
    )
    return drop_replaced(reach, replaced, task.order.run_uid)
