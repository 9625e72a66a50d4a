"""Jobs that the cluster runs: what their pods say is brought to the Job, as an agent does for those of its host.

The result comes from the termination message, progress from the end of the log, and what keeps a pod from starting from its
status and its events. Whatever follows reads Jobs alone, and finds it there after a restart, too.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from strongroom.api.errors import Reason, excerpt
from strongroom.api.fields import format_time, parse_duration
from strongroom.api.labels import (
    LOST_ANNOTATION,
    PROGRESS_ANNOTATION,
    RESULT_ANNOTATION,
    TROUBLE_ANNOTATION,
)
from strongroom.api.result import LARGEST_RESULT_BYTES
from strongroom.api.terminations import InLog, find_in_log, unpack_result
from strongroom.api.workloads import WorkerLine
from strongroom.controllers.answering import AGAIN, answer_ask
from strongroom.controllers.context import Context
from strongroom.controllers.keys import Key
from strongroom.controllers.scaling import let_go, start_services
from strongroom.domain.jobstates import Ending, JobState
from strongroom.domain.podstates import PodState, judge_loss, newest
from strongroom.kube.client import Object
from strongroom.kube.errors import ApiError, NotFound
from strongroom.kube.kinds import EVENTS, JOBS, PODS
from strongroom.kube.rights import READ, on

RIGHTS = (
    on(JOBS, "patch"),
    on(PODS, *READ),
    on(PODS, "get", sub="log"),
    on(EVENTS, "list"),
)

PROGRESS_PERIOD = timedelta(seconds=5)
NEWS_PERIOD = timedelta(seconds=4)
PATIENCE = timedelta(seconds=20)
"""How long a pod may take to start before the cluster is asked why."""
LAST_WORDS = timedelta(minutes=2)
"""How long after the Job its pod may take to end."""
ASK_PERIOD = timedelta(seconds=20)
START_DEADLINE = timedelta(minutes=15)
LOG_LINES = 40
"""Container runtimes break a long line into pieces of 16 KiB, and count each of them: the longest result has a dozen."""
LOG_BYTES = 262_144


async def reconcile_job(context: Context, key: Key) -> datetime | None:
    """Bring to one Job what its pods say now; returns when to look again."""
    job = context.observed.jobs.get((key.namespace, key.name))
    if job is None or not job.is_clusters:
        return None
    pod = newest(context.observed.pods_of(job))
    is_deleted = job.meta.deletion_timestamp is not None
    if job.is_held and (is_deleted or job.own_ending is not None):
        return await _release(context, job, pod)
    if job.ending is not None or is_deleted:
        return None
    if job.own_ending is not None:
        return await _conclude(context, job, job.own_ending, pod)
    return await _follow(context, job, pod)


async def _follow(context: Context, job: JobState, pod: PodState | None) -> datetime | None:
    if pod is not None and pod.is_running:
        return await _report_progress(context, job, pod)
    if pod is not None and pod.has_ended:
        return None  # the cluster ends the Job, or makes the next pod
    return await _look_why(context, job, pod)


async def _release(context: Context, job: JobState, pod: PodState | None) -> datetime | None:
    """A restore that is over: once no worker of it is left, what was stopped runs again, and the Job may go.

    A worker that is told to end puts back the old before, and may ask meanwhile.
    """
    if pod is not None and _lives(pod, context.now()):
        if job.own_ending is None and pod.meta.deletion_timestamp is None:
            await _end(context, job)
        return await _report_progress(context, job, pod)
    await start_services(context, job)
    await let_go(context, context.observed.jobs.get((job.meta.namespace, job.meta.name), job))
    return context.now()


def _lives(pod: PodState, now: datetime) -> bool:
    """Whether its worker may still be at it. One that should have ended long ago is on a node that is lost."""
    told = pod.meta.deletion_timestamp
    return pod.is_running and (told is None or now < told + LAST_WORDS)


async def _conclude(context: Context, job: JobState, ending: Ending, pod: PodState | None) -> datetime | None:
    """The Job has ended: its last pod's result, or why there is none."""
    if pod is not None and not pod.has_ended:
        late = (ending.time or job.created) + LAST_WORDS
        if context.now() < late:
            return late  # it is being ended: its last word comes with that
    text = await _read_result(context, pod) if pod is not None else None
    if text is not None and len(text.encode()) <= LARGEST_RESULT_BYTES:
        await _annotate(context, job, {RESULT_ANNOTATION: text, TROUBLE_ANNOTATION: None})
    else:
        reason, words = judge_loss(job, ending, pod)
        await _annotate(context, job, {LOST_ANNOTATION: _word(reason.name, words)})
    return None


async def _read_result(context: Context, pod: PodState) -> str | None:
    if pod.termination is None:
        return None
    found = unpack_result(pod.termination.message)
    if not isinstance(found, InLog):
        return found
    try:
        log = await context.client.reads.read_log(
            pod.meta.namespace, pod.meta.name, lines=LOG_LINES, limit=LARGEST_RESULT_BYTES * 2
        )
    except NotFound:
        log = ""
    return find_in_log(found, log)


async def _report_progress(context: Context, job: JobState, pod: PodState) -> datetime:
    """The last progress line, if it says something new, and the answer to what it asks."""
    asks = job.kind == "Restore"
    again = context.now() + (AGAIN if asks else PROGRESS_PERIOD)
    with suppress(NotFound):  # it has just gone
        log = await context.client.reads.read_log(
            pod.meta.namespace, pod.meta.name, lines=LOG_LINES, limit=LOG_BYTES
        )
        line = _last_line(log)
        if line is not None and _is_news(line, job):
            said = json.dumps(line.model_copy(update={"ask": None}).to_api(), separators=(",", ":"))
            await _annotate(context, job, {PROGRESS_ANNOTATION: said, TROUBLE_ANNOTATION: None})
        elif job.trouble is not None:
            await _annotate(context, job, {TROUBLE_ANNOTATION: None})
        if asks and line is not None and line.ask is not None:
            now = context.observed.jobs.get((job.meta.namespace, job.meta.name), job)
            await answer_ask(context, now, pod, line.ask)
    return again


def _is_news(line: WorkerLine, job: JobState) -> bool:
    """Whether it is worth a write: another stage, or some seconds later."""
    known = job.progress
    return known is None or line.stage != known.stage or line.time >= known.time + NEWS_PERIOD


def _last_line(log: str) -> WorkerLine | None:
    for line in reversed(log.splitlines()):
        with suppress(ValidationError):
            return WorkerLine.model_validate_json(line)
    return None


@dataclass(frozen=True)
class _Trouble:
    reason: str
    message: str


async def _look_why(context: Context, job: JobState, pod: PodState | None) -> datetime:
    """Nothing of it runs: after a while ask why, say so, and at last give up."""
    now, since = context.now(), (pod.created if pod is not None else job.created)
    if now < since + PATIENCE:
        return since + PATIENCE
    trouble = await _find_trouble(context, job, pod)
    if trouble is None:
        return now + ASK_PERIOD
    began = job.trouble.since if job.trouble is not None and job.trouble.since is not None else since
    if now >= began + _start_deadline(job):
        await _give_up(context, job, trouble, began)
        return now + ASK_PERIOD
    if job.trouble is None or (job.trouble.reason, job.trouble.message) != (trouble.reason, trouble.message):
        note = _word(trouble.reason, trouble.message, began)
        await _annotate(context, job, {TROUBLE_ANNOTATION: note})
    return now + ASK_PERIOD


async def _find_trouble(context: Context, job: JobState, pod: PodState | None) -> _Trouble | None:
    """What the pod's own status says, else the newest warning about it, or about the Job that has no pod."""
    if pod is not None and pod.trouble is not None:
        reason, message = pod.trouble
        return _Trouble(_stable(reason), f"pod {pod.meta.name}: {reason}: {excerpt(message)}")
    meta = job.meta if pod is None else pod.meta
    events = await context.client.reads.list(
        EVENTS, job.meta.namespace, fields={"involvedObject.uid": meta.uid, "type": "Warning"}
    )
    warning = max(events.items, key=_event_time, default=None)
    if warning is None:
        return None
    what = f"Job {meta.name}" if pod is None else f"pod {meta.name}"
    reason = str(warning.get("reason") or "")
    return _Trouble(_stable(reason), f"{what}: {reason}: {excerpt(str(warning.get('message') or ''))}")


def _event_time(event: Object) -> str:
    last = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
    return str(last or "")


def _stable(reason: str) -> str:
    """A reason fit for a condition: those of Kubernetes are CamelCase words."""
    return reason if reason[:1].isupper() and reason.isalnum() else Reason.PodNotStarted.name


async def _give_up(context: Context, job: JobState, trouble: _Trouble, began: datetime) -> None:
    """Let the cluster end the Job: with a deadline that has passed it ends the pod, too, and makes no other."""
    words = f"{trouble.message} (since {format_time(began)})"
    await _end(context, job, {LOST_ANNOTATION: _word(Reason.PodNotStarted.name, words)})


async def _end(context: Context, job: JobState, annotations: dict[str, str] | None = None) -> None:
    body: Object = {
        "metadata": {"uid": job.meta.uid, "annotations": annotations or {}},
        "spec": {"activeDeadlineSeconds": 1},
    }
    await _patch(context, job, body)


def _start_deadline(job: JobState) -> timedelta:
    """Anybody may have written the annotation."""
    with suppress(ValueError):
        return parse_duration(job.start_deadline) if job.start_deadline else START_DEADLINE
    return START_DEADLINE


def _word(reason: str, message: str, since: datetime | None = None) -> str:
    said = {"reason": reason, "message": message[:1024]}
    return json.dumps(said | ({"since": format_time(since)} if since is not None else {}))


async def _annotate(context: Context, job: JobState, annotations: dict[str, str | None]) -> None:
    await _patch(context, job, {"metadata": {"uid": job.meta.uid, "annotations": annotations}})


async def _patch(context: Context, job: JobState, body: Object) -> None:
    with suppress(NotFound):
        changed = await context.client.patch(JOBS, job.meta.namespace, job.meta.name, body)
        context.take_in(JOBS, changed)


async def find_node(context: Context, namespace: str, claims: list[str]) -> str | None:
    """The node where one of the claims is in use: a volume that one node alone may mount can be read there only."""
    if not claims:
        return None
    with suppress(ApiError):  # it is a wish only
        listing = await context.client.reads.list(PODS, namespace)
        for pod in listing.items:
            spec, phase = pod.get("spec") or {}, (pod.get("status") or {}).get("phase")
            used = {
                (volume.get("persistentVolumeClaim") or {}).get("claimName")
                for volume in spec.get("volumes") or []
            }
            if phase == "Running" and spec.get("nodeName") and not used.isdisjoint(claims):
                return str(spec["nodeName"])
    return None
