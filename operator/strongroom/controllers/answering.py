"""What a worker in a cluster asks by its progress line, answered by an annotation of its pod: services, and what is to be remembered."""

from datetime import timedelta

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.labels import ANSWER_ANNOTATION, NOTE_ANNOTATION
from strongroom.api.resources import RestoreRequest, parse_restore
from strongroom.api.workloads import Answer, Ask
from strongroom.controllers.context import Context
from strongroom.controllers.scaling import Wish, start_services, stop_services
from strongroom.domain.jobstates import JobState
from strongroom.domain.podstates import PodState
from strongroom.kube.errors import Forbidden, NotFound
from strongroom.kube.kinds import JOBS, PODS
from strongroom.kube.refusals import explain
from strongroom.kube.rights import on

RIGHTS = (on(JOBS, "patch"), on(PODS, "patch"))

AGAIN = timedelta(seconds=1)
"""How soon to look again at what is under way, and at a worker that may ask."""


async def answer_ask(context: Context, job: JobState, pod: PodState, ask: Ask) -> None:
    """Do what is asked as far as it goes now, and answer when it is done."""
    if pod.answered >= ask.number:
        return
    try:
        note = await _carry_out(context, job, ask)
    except StrongroomError as error:
        await _answer(context, pod, Answer(number=ask.number, done=False, message=error.message[:1024]))
    except Forbidden as error:
        message = explain(error).message[:1024]
        await _answer(context, pod, Answer(number=ask.number, done=False, message=message))
    else:
        if note is not None:
            await _answer(context, pod, Answer(number=ask.number, done=True, note=note or None))


async def _carry_out(context: Context, job: JobState, ask: Ask) -> str | None:
    """What was remembered; None while it is not done."""
    match ask.about:
        case "Recall":
            return job.note or ""
        case "Remember":
            await _remember(context, job, ask.note or "")
        case "StopServices":
            return "" if await stop_services(context, job, _wish_of(context, job)) else None
        case "StartServices":
            await start_services(context, job)
    return ""


def _wish_of(context: Context, job: JobState) -> Wish:
    """By the request itself, and not by what the Job says of it: whoever may make Jobs must not stop applications by that."""
    request = _request_of(context, job)
    if request is None:
        words = "spec.stopServices: the Job is not that of a RestoreRequest that is there"
        raise StrongroomError(Reason.HookFailed, words)
    return Wish.of(request)


def _request_of(context: Context, job: JobState) -> RestoreRequest | None:
    owner = next((each for each in job.meta.owner_references if each.controller), None)
    body = None if owner is None else context.observed.restores.get((job.meta.namespace, owner.name))
    request = None if body is None else parse_restore(body)
    return request if request is not None and owner is not None and request.meta.uid == owner.uid else None


async def _remember(context: Context, job: JobState, note: str) -> None:
    if note != job.note:
        body = {"metadata": {"uid": job.meta.uid, "annotations": {NOTE_ANNOTATION: note}}}
        context.take_in(JOBS, await context.client.patch(JOBS, job.meta.namespace, job.meta.name, body))


async def _answer(context: Context, pod: PodState, answer: Answer) -> None:
    text = answer.model_dump_json(by_alias=True, exclude_none=True)
    body = {"metadata": {"uid": pod.meta.uid, "annotations": {ANSWER_ANNOTATION: text}}}
    try:
        changed = await context.client.patch(PODS, pod.meta.namespace, pod.meta.name, body)
    except NotFound:
        return
    context.take_in(PODS, changed)
