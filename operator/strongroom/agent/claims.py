"""Taking a Job: one write that only one agent can win, then its folder; or, where it may not run here, its refusal."""

import asyncio
import logging

from strongroom.agent import clock
from strongroom.agent.asks import list_asks
from strongroom.agent.folders import StateFolder
from strongroom.agent.hostview import look_at_host
from strongroom.agent.jobs import Job, parse_job, parse_order
from strongroom.agent.jobstatuses import JobReason
from strongroom.agent.permissions import build_permissions
from strongroom.agent.records import Outcome, Plan, build_failure
from strongroom.agent.settings import AgentSettings
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.labels import CLAIM_ANNOTATION
from strongroom.kube.client import KubeClient
from strongroom.kube.errors import Conflict, NotFound
from strongroom.kube.kinds import JOBS

LONGEST_RUN_UID = 64
"""What a result can name."""

log = logging.getLogger(__name__)


async def claim(client: KubeClient, job: Job, identity: str) -> Job | None:
    """Write our name on the Job as we know it; None if it has changed since, or is gone."""
    body = {
        "metadata": {
            "resourceVersion": job.resource_version,
            "uid": job.uid,
            "annotations": {CLAIM_ANNOTATION: identity},
        }
    }
    try:
        claimed = parse_job(await client.patch(JOBS, job.namespace, job.name, body))
    except (Conflict, NotFound) as error:
        log.info("Job %s was not claimed: %s", job, error)
        return None
    log.info("Job %s is claimed", job)
    return claimed


async def prepare(job: Job, settings: AgentSettings, state: StateFolder) -> Plan:
    """Make the folder of a Job that bears our name. What may not or cannot run gets its outcome at once."""
    plan = build_plan(job)
    refusal = await asyncio.to_thread(find_refusal, job, settings)
    folder = state.job(job.uid)
    if refusal is None:
        await asyncio.to_thread(folder.create, plan, job.order_text)
        return plan
    result = build_failure(
        plan.run_uid, refusal.reason, refusal.message, started_at=plan.started_at, now=clock.now()
    )
    outcome = Outcome(result=result, job_reason=JobReason.PodFailurePolicy.name, failed=job.failed)
    await asyncio.to_thread(folder.create, plan, None, outcome)
    return plan


def find_refusal(job: Job, settings: AgentSettings) -> StrongroomError | None:
    """Why this Job gets no worker here, or None. Looks at paths, and not yet at the Engine: it may be down. Blocks."""
    if not settings.serves(job.namespace):
        return StrongroomError(
            Reason.NamespaceNotServed,
            f"the agent of DockerHost {settings.namespace}/{settings.host_name} does not serve namespace {job.namespace}",
        )
    try:
        order = parse_order(job)
        asks = list_asks(order)
        build_permissions(settings.allowed, settings.own_folders).check(asks, look_at_host(order, asks, None))
    except StrongroomError as error:
        return error
    return None


def build_plan(job: Job) -> Plan:
    """The plan of a Job; one that has started already keeps its start."""
    return Plan(
        namespace=job.namespace,
        name=job.name,
        uid=job.uid,
        run_uid=_run_uid(job),
        claimant=job.claimed_by or "",
        started_at=(job.start_time if job.has_own_start else None) or clock.now(),
        deadline_seconds=job.deadline_seconds,
        backoff_limit=job.backoff_limit,
        image=job.image,
    )


def _run_uid(job: Job) -> str:
    try:
        return parse_order(job).run_uid
    except StrongroomError:
        return (job.owner_uid or job.uid)[:LONGEST_RUN_UID]  # whoever made the Job wrote its owner's uid
