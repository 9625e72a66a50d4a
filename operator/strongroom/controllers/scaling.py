"""Services of a cluster that a restore stops: written down on the Job, scaled to 0, and scaled back whatever becomes of the Job.

The note is on the Job before anything is scaled. The Job has a finalizer from its making: Deployments and StatefulSets are back before
it goes, also if its request is deleted, its pod killed, or this operator made anew.
"""

from dataclasses import dataclass
from datetime import timedelta

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import parse_duration
from strongroom.api.labels import RESTORE_FINALIZER, STOPPED_ANNOTATION
from strongroom.api.resources import RestoreRequest
from strongroom.api.workloads import Workload
from strongroom.controllers.context import Context
from strongroom.domain.jobstates import JobState
from strongroom.domain.stoppedservices import Stopped, StoppedServices, format_stopped, selects
from strongroom.kube.client import Object
from strongroom.kube.errors import Forbidden, NotFound
from strongroom.kube.kinds import DEPLOYMENTS, JOBS, PODS, STATEFUL_SETS, ApiKind
from strongroom.kube.refusals import explain
from strongroom.kube.rights import on

SCALING = tuple(
    right
    for kind in (DEPLOYMENTS, STATEFUL_SETS)
    for right in (on(kind, "get"), on(kind, "patch", sub="scale"))
)
"""Granted apart: without them restores stop nothing."""
RIGHTS = (*SCALING, on(JOBS, "patch"), on(PODS, "list"))

_KINDS: dict[str, ApiKind] = {kind.kind: kind for kind in (DEPLOYMENTS, STATEFUL_SETS)}
MARGIN = timedelta(minutes=2)
"""How much longer than spec.stopTimeout the pods of a service may take to go."""
_NOTABLE = 4


@dataclass(frozen=True)
class Wish:
    """What is to be stopped for a Job, and how long that may take: as its request says it."""

    workloads: tuple[Workload, ...]
    timeout: str

    @classmethod
    def of(cls, request: RestoreRequest) -> "Wish":
        """Containers are none of its business."""
        workloads = [each.workload for each in request.spec.stop_services]
        return cls(tuple(each for each in workloads if each is not None), request.spec.stop_timeout)


async def find_trouble(context: Context, namespace: str, wish: Wish) -> StrongroomError | None:
    """What would keep them from being stopped, before hours go into what needs it."""
    for each in wish.workloads:
        try:
            found = await _get(context, namespace, each)
        except Forbidden as error:
            words = f"spec.stopServices: {explain(error).message}"
            return StrongroomError(Reason.PermissionDenied, words)
        if found is None:
            return _missing(namespace, each)
    return None


def _missing(namespace: str, workload: Workload) -> StrongroomError:
    words = f"spec.stopServices: there is no {workload} in namespace {namespace}"
    return StrongroomError(Reason.TargetMissing, words)


async def stop_services(context: Context, job: JobState, wish: Wish) -> bool:
    """Take it as far as it goes now: True when no pod of them is left. Raises StrongroomError when it cannot be done."""
    stopped = job.stopped
    if stopped is None:
        found = [await _find(context, job, each) for each in wish.workloads]
        running = tuple(each for each in found if each.replicas > 0)
        stopped = StoppedServices(context.now(), running)
        # At the version that we know: a note that we have not seen yet knows better what there was.
        await _note(context, job, stopped, job.meta.resource_version)
    for each in stopped.services:
        await _scale(context, job, each, 0)
    left = [name for each in stopped.services for name in await _pods_of(context, job, each.workload)]
    if not left:
        return True
    limit = parse_duration(wish.timeout) + MARGIN
    if context.now() > stopped.since + limit:
        names = ", ".join(left[:_NOTABLE])
        raise StrongroomError(
            Reason.HookFailed, f"spec.stopServices: after {limit} there are still pods: {names}"
        )
    return False


async def start_services(context: Context, job: JobState) -> None:
    """Scale back what was scaled, and forget it. Idempotent: what somebody has started meanwhile is left as it is."""
    if job.stopped is None:
        return
    for each in reversed(job.stopped.services):
        await _scale(context, job, each, each.replicas)
    await _note(context, job, None)


async def let_go(context: Context, job: JobState) -> None:
    """Nothing is left to do for the Job: it may go."""
    finalizers = [each for each in job.meta.finalizers if each != RESTORE_FINALIZER]
    # At the version that we know: the list is written whole.
    await _patch(context, job, {"resourceVersion": job.meta.resource_version, "finalizers": finalizers})


async def _find(context: Context, job: JobState, workload: Workload) -> Stopped:
    body = await _get(context, job.meta.namespace, workload)
    if body is None:
        raise _missing(job.meta.namespace, workload)
    return Stopped(workload, str(body["metadata"]["uid"]), _replicas(body))


async def _get(context: Context, namespace: str, workload: Workload) -> Object | None:
    return await context.client.reads.get(_KINDS[workload.kind], namespace, workload.name)


def _replicas(body: Object) -> int:
    """One where nothing is said, as the API has it."""
    said = (body.get("spec") or {}).get("replicas")
    return 1 if said is None else int(said)


async def _scale(context: Context, job: JobState, stopped: Stopped, replicas: int) -> None:
    """To 0 whatever it is; back only from 0, and only what is still the same object."""
    workload = stopped.workload
    body = await _get(context, job.meta.namespace, workload)
    if body is None or str(body["metadata"]["uid"]) != stopped.uid:
        return
    now = _replicas(body)
    if now == replicas or (replicas > 0 and now > 0):
        return
    try:
        kind, scale = _KINDS[workload.kind], {"spec": {"replicas": replicas}}
        await context.client.patch(kind, job.meta.namespace, workload.name, scale, subresource="scale")
    except NotFound:
        return


async def _pods_of(context: Context, job: JobState, workload: Workload) -> list[str]:
    """Names of its pods, those that are ending included."""
    body = await _get(context, job.meta.namespace, workload)
    selector = {} if body is None else (body.get("spec") or {}).get("selector") or {}
    listing = await context.client.reads.list(
        PODS, job.meta.namespace, labels=selector.get("matchLabels") or None
    )
    return [
        pod["metadata"]["name"]
        for pod in listing.items
        if selects(selector, pod["metadata"].get("labels") or {})
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]


async def _note(
    context: Context, job: JobState, stopped: StoppedServices | None, version: str | None = None
) -> None:
    text = None if stopped is None else format_stopped(stopped)
    at = {} if version is None else {"resourceVersion": version}
    await _patch(context, job, {**at, "annotations": {STOPPED_ANNOTATION: text}})


async def _patch(context: Context, job: JobState, meta: Object) -> None:
    body = {"metadata": {"uid": job.meta.uid, **meta}}
    try:
        changed = await context.client.patch(JOBS, job.meta.namespace, job.meta.name, body)
    except NotFound:
        return
    context.take_in(JOBS, changed)
