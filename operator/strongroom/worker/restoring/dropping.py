"""What a restore replaced and kept, dropped when its time has come."""

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
    for replaced in order.replaced:
        try:
            with steps.step("DropReplaced", replaced.source):
                _drop(task, order, replaced)
        except StrongroomError as error:
            failure = failure or error
        else:
            gathered.replaced.remove(replaced)
    outcome = gathered.outcome(steps.told, None, task.started_at)
    dropped = len(order.replaced) - len(gathered.replaced)
    return Done(restore=outcome, message=f"{dropped} that were replaced are dropped"), failure


def _drop(task: Task, order: DropOrder, replaced: Replaced) -> None:
    source = next((each for each in order.targets if each.name == replaced.source), None)
    if source is None:
        words = f"source {replaced.source} is not in the policy any more: drop {replaced.kept_as} by hand"
        raise StrongroomError(Reason.TargetMissing, words)
    if replaced.kind != "database":
        drop_tree(task, source, replaced)
        return
    if source.postgres is None:
        raise StrongroomError(Reason.TargetMissing, f"source {source.name} is no PostgreSQL server any more")
    reach = reach_server(
        build_means(task, order.policy),
        source.name,
        source.postgres,
        dumped_by=None,
        container=replaced.container,
    )
    drop_replaced(reach, replaced, task.order.run_uid)
