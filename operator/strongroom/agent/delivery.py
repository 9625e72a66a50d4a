"""Bringing an outcome to the API: first the result annotation, then the Job's status, for as long as it takes."""

import asyncio
import logging
from typing import Any

from strongroom.agent import clock
from strongroom.agent.jobs import Job, parse_job
from strongroom.agent.jobstatuses import build_finished
from strongroom.agent.records import Outcome, Plan
from strongroom.api.labels import RESULT_ANNOTATION
from strongroom.kube.client import KubeClient
from strongroom.kube.errors import ApiError, NotFound
from strongroom.kube.following import pause_seconds
from strongroom.kube.kinds import JOBS

log = logging.getLogger(__name__)


async def deliver(client: KubeClient, plan: Plan, outcome: Outcome, *, longest_pause: float) -> None:
    """Return when the API has acknowledged the outcome, or has no use for it: the Job is gone, finished or another's.

    Idempotent: what is there already is not written again.
    """
    failures = 0
    while True:
        try:
            if await _deliver_once(client, plan, outcome):
                return
        except NotFound:
            # Deleted between the look and the write; the next look decides.
            log.info("Job %s/%s went while its result was delivered", plan.namespace, plan.name)
        except ApiError as error:
            log.warning("the result of Job %s/%s waits: %s", plan.namespace, plan.name, error)
        failures += 1
        await asyncio.sleep(min(longest_pause, pause_seconds(failures)))


async def _deliver_once(client: KubeClient, plan: Plan, outcome: Outcome) -> bool:
    found = await client.get(JOBS, plan.namespace, plan.name)
    if found is None or found["metadata"]["uid"] != plan.uid:
        log.info("Job %s/%s is gone: its result is not needed", plan.namespace, plan.name)
        return True
    job = parse_job(found)
    if job.finished or job.claimed_by != plan.claimant:
        log.warning("Job %s was ended or taken over by another: its result is not written", job)
        return True
    text = outcome.result.model_dump_json(by_alias=True, exclude_none=True)
    if (found["metadata"].get("annotations") or {}).get(RESULT_ANNOTATION) != text:
        noted = _at_version(job.resource_version, {RESULT_ANNOTATION: text})
        job = parse_job(await client.patch(JOBS, job.namespace, job.name, noted))
    status = {**_at_version(job.resource_version), "status": _status(plan, job, outcome)}
    await client.patch(JOBS, job.namespace, job.name, status, subresource="status")
    return True


def _status(plan: Plan, job: Job, outcome: Outcome) -> dict[str, Any]:
    result = outcome.result
    return build_finished(
        start_time=job.start_time or plan.started_at,
        now=clock.now(),
        reason=outcome.reason,
        message="" if result.outcome == "Succeeded" else f"{result.reason}: {result.message}",
        failed=max(outcome.failed, job.failed),
    )


def _at_version(resource_version: str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    """A patch that fails if the Job has changed since it was read."""
    meta: dict[str, Any] = {"resourceVersion": resource_version}
    return {"metadata": meta | ({"annotations": annotations} if annotations else {})}
