"""BackupRuns: make the Job, follow it, write down how it ended, clean up after it."""

from dataclasses import replace
from datetime import datetime, timedelta

from strongroom.api.backuprun import TERMINAL_PHASES, BackupRunStatus
from strongroom.api.conditions import with_condition
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.group import API_VERSION
from strongroom.api.labels import POLICY_LABEL
from strongroom.api.resources import BackupPolicy, BackupRun, ObjectMeta, parse_run
from strongroom.controllers.catchingup import make_way, settle_catch_up
from strongroom.controllers.context import Context
from strongroom.controllers.keys import Key
from strongroom.controllers.objects import Faulty
from strongroom.controllers.pods import find_node
from strongroom.domain.copies import judge_run
from strongroom.domain.jobs import build_job
from strongroom.domain.jobstates import JobState
from strongroom.domain.names import job_name
from strongroom.domain.policies import Problem, Surroundings, find_blocker
from strongroom.domain.runrecords import Judgement, RunRecord, name_in_stores, record_run
from strongroom.domain.runs import Finish, Follow, RunFacts, Start, Step, Wait, next_step
from strongroom.domain.runstatus import build_status
from strongroom.domain.sites import Cluster, Site
from strongroom.domain.targets import Target
from strongroom.domain.verdicts import Verdict, failed
from strongroom.kube.events import EventType
from strongroom.kube.kinds import JOBS, POLICIES, RUNS
from strongroom.kube.rights import on

RIGHTS = (
    on(RUNS, "get", "list", "patch"),
    on(RUNS, "patch", sub="status"),
    on(POLICIES, "get"),
    on(JOBS, "get", "create", "delete"),
)

JOB_KEPT = timedelta(hours=1)
"""A finished Job stays this long beside its terminal run, for people to look at."""


async def reconcile_run(context: Context, key: Key) -> datetime | None:
    """Take one run a step further; returns when to look again although nothing happens."""
    name = (key.namespace, key.name)
    faulty = context.observed.faulty.get(key)
    if faulty is not None:
        await _refuse(context, faulty)
        return None
    record = context.observed.runs.get(name)
    if record is None:
        return None
    body = context.observed.active_runs.get(name)
    if body is None:
        return await _settle(context, record)
    run = parse_run(body)
    return await _advance(context, run)


async def _advance(context: Context, run: BackupRun) -> datetime | None:
    policy, problem, around = _policy_of(context, run)
    facts = await _gather(context, run, policy, problem)
    step = next_step(facts)
    if isinstance(step, Start) and policy is not None:
        step = await _start(context, facts, policy, around)
    status = _with_copies_judged(context, run, build_status(run, step, policy, context.now()))
    phase_changed = status.phase != run.status.phase
    await context.write_status(RUNS, run.meta, run.status, status)
    if phase_changed:
        await _announce(context, run, policy, step)
    if isinstance(step, Wait | Follow):
        return step.until
    return None


def _with_copies_judged(context: Context, run: BackupRun, status: BackupRunStatus) -> BackupRunStatus:
    """The status with CopiesSatisfied as it is now; a run that has made nothing has no such condition."""
    record = record_run(replace(run, status=status))
    judged = judge_run(record, context.observed.store_specs(run.meta.namespace), context.now())
    if judged is None:
        return status
    return status.model_copy(update={"conditions": with_condition(status.conditions, judged)})


def _policy_of(context: Context, run: BackupRun) -> tuple[BackupPolicy | None, Problem | None, Surroundings]:
    """The run's policy, what keeps it from starting, and what it refers to."""
    found = context.observed.policies.get((run.meta.namespace, run.spec.policy))
    faulty = context.observed.faulty.get(Key(POLICIES, run.meta.namespace, run.spec.policy))
    if faulty is not None:
        return None, Problem(faulty.error.reason, str(faulty)), Surroundings()
    if found is None:
        message = f"spec.policy: there is no BackupPolicy {run.spec.policy} in this namespace. {Reason.PolicyNotFound.hint}"
        return None, Problem(Reason.PolicyNotFound, message), Surroundings()
    around = context.observed.surroundings(found)
    return found, find_blocker(found, around), around


async def _gather(
    context: Context, run: BackupRun, policy: BackupPolicy | None, problem: Problem | None
) -> RunFacts:
    job = context.observed.job_of(run)
    had_job = run.status.job is not None or run.meta.uid in context.jobs_made
    if job is None and had_job:  # before a run is called cancelled, ask the server itself
        job = await _look_for_job(context, run)
    targets = _targets(context, policy)
    return RunFacts(
        run=run,
        policy=policy,
        problem=problem,
        job=job,
        had_job=had_job,
        host_is_alive=job is None or context.observed.is_alive(job),
        busy=context.observed.turns.working_on(targets, _job_key(run)),
        now=context.now(),
    )


async def _look_for_job(context: Context, run: BackupRun) -> JobState | None:
    body = await context.client.reads.get(JOBS, *_job_key(run))
    if body is None:
        return None
    context.take_in(JOBS, body)
    return context.observed.job_of(run)


def _targets(context: Context, policy: BackupPolicy | None) -> tuple[Target, ...]:
    return () if policy is None else context.observed.turns.targets_of(policy)


def _job_key(run: BackupRun) -> tuple[str, str]:
    return run.meta.namespace, job_name(run.meta.name, run.meta.uid)


async def _start(context: Context, facts: RunFacts, policy: BackupPolicy, around: Surroundings) -> Step:
    """Make the Job, or adopt the one that is there; the step that follows from it."""
    run, policy = facts.run, _cautious(context, policy)
    async with context.starting:
        busy = context.observed.turns.working_on(_targets(context, policy), _job_key(run))
        if busy is not None:
            return next_step(replace(facts, busy=busy))
        stores = [around.stores[name] for name in policy.spec.stores]
        held = await _held_runs(context, policy)
        await make_way(context, policy)
        try:
            site = await _find_site(context, policy, around)
            body = build_job(run, policy, stores, site, held, context.settings.worker_image)
        except StrongroomError as error:
            return Finish(failed(error.reason, str(error)))
        made = await context.client.ensure(JOBS, run.meta.namespace, body)
        context.jobs_made[run.meta.uid] = body["metadata"]["name"]
        context.take_in(JOBS, made)
    return next_step(replace(facts, job=context.observed.job_of(run), had_job=True))


async def _find_site(context: Context, policy: BackupPolicy, around: Surroundings) -> Site:
    """Where the Job runs; in a cluster near the volumes that it reads."""
    site = around.site
    if site is None:
        raise StrongroomError(Reason.HostNotFound, f"spec.host: there is no DockerHost {policy.spec.host}")
    if not isinstance(site, Cluster):
        return site
    claims = [
        source.files.persistent_volume_claim
        for source in policy.spec.sources
        if source.files is not None and source.files.persistent_volume_claim is not None
    ]
    return replace(site, node=await find_node(context, policy.meta.namespace, claims))


def _cautious(context: Context, policy: BackupPolicy) -> BackupPolicy:
    """The policy as its Job shall carry it out: while a clock is wrong, retention only tells what it would delete."""
    if context.server_clock.trouble is None:
        return policy
    retention = policy.spec.retention.model_copy(update={"dry_run": True})
    return replace(policy, spec=policy.spec.model_copy(update={"retention": retention}))


async def _held_runs(context: Context, policy: BackupPolicy) -> set[str]:
    """Runs that retention must not touch, read from the server: a hold that was just set counts.

    What is being restored is held, too: it must not be deleted while it is read.
    """
    known = {record.origin_run for record in context.observed.runs_of(policy.key) if record.hold}
    restored = context.observed.restored_runs_in(policy.meta.namespace)
    records = (context.observed.runs.get((policy.meta.namespace, name)) for name in restored)
    known |= restored | {record.origin_run for record in records if record is not None}
    if not policy.spec.retention.has_rules:
        return known
    listing = await context.client.reads.list(
        RUNS, policy.meta.namespace, labels={POLICY_LABEL: policy.meta.name}
    )
    held = [run["metadata"] for run in listing.items if run["spec"].get("hold")]
    return known | {name_in_stores(ObjectMeta.model_validate(meta)) for meta in held}


async def _announce(context: Context, run: BackupRun, policy: BackupPolicy | None, step: Step) -> None:
    """Events about what began or ended, on the run and on its policy."""
    match step:
        case Follow() if run.status.phase == "Pending":
            type_, reason, message = "Normal", "Started", f"Job {step.job} was made."
        case Finish():
            verdict = step.verdict
            type_ = "Normal" if verdict.phase == "Succeeded" else "Warning"
            reason, message = verdict.phase, _in_short(verdict)
        case _:
            return
    kind: EventType = "Normal" if type_ == "Normal" else "Warning"
    await context.tell(RUNS, run.meta, kind, reason, message)
    if policy is not None:
        await context.tell(POLICIES, policy.meta, kind, f"Run{reason}", f"Run {run.meta.name}: {message}")


def _in_short(verdict: Verdict) -> str:
    return verdict.message if verdict.phase == "Succeeded" else f"{verdict.reason}: {verdict.message}"


async def _settle(context: Context, record: RunRecord) -> datetime | None:
    """A terminal run: give it to its policy, so that it goes when the policy goes, and let its Job go."""
    context.jobs_made.pop(record.uid, None)
    if record.is_deleting:
        return None
    await _adopt(context, record)
    copied = await settle_catch_up(context, record)
    await _judge_copies(context, record)
    moments = [copied, await _settle_job(context, record)]
    return min((moment for moment in moments if moment is not None), default=None)


async def _judge_copies(context: Context, record: RunRecord) -> None:
    """Write CopiesSatisfied anew where it has changed: copies were caught up or lost, a store's specification changed."""
    record = context.observed.runs.get((record.namespace, record.name), record)
    judged = judge_run(record, context.observed.store_specs(record.namespace), context.now())
    if judged is None or record.judged == Judgement(judged.status, judged.reason, judged.message):
        return
    body = await context.client.reads.get(RUNS, record.namespace, record.name)
    if body is not None and body["metadata"]["uid"] == record.uid:
        run = parse_run(body)
        status = _with_copies_judged(context, run, run.status)
        await context.write_status(RUNS, run.meta, run.status, status)


async def _settle_job(context: Context, record: RunRecord) -> datetime | None:
    """The Job of a terminal run stays for a while, if it has ended."""
    job = context.observed.jobs.get((record.namespace, job_name(record.name, record.uid)))
    if job is None:
        return None
    kept_until = (record.completed or job.created) + JOB_KEPT
    if job.ending is not None and context.now() < kept_until:
        return kept_until
    await context.client.delete(JOBS, job.meta.namespace, job.meta.name, uid=job.meta.uid)
    return None


async def _adopt(context: Context, record: RunRecord) -> None:
    meta: dict[str, object] = {}
    if not record.is_labelled:
        meta["labels"] = {POLICY_LABEL: record.policy}
    if not record.is_owned and (uid := await _living_policy(context, record)) is not None:
        meta["ownerReferences"] = [
            {
                "apiVersion": API_VERSION,
                "kind": POLICIES.kind,
                "name": record.policy,
                "uid": uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ]
    if meta:
        changed = await context.client.patch(
            RUNS, record.namespace, record.name, {"metadata": meta | {"uid": record.uid}}
        )
        context.take_in(RUNS, changed)


async def _living_policy(context: Context, record: RunRecord) -> str | None:
    """The uid of the run's policy, read from the server: an owner that has just gone would take the run with it."""
    known = context.observed.policies.get((record.namespace, record.policy))
    if known is None or record.policy_uid not in (None, known.meta.uid):
        return None  # thousands of runs may have been found that an earlier policy made
    policy = await context.client.reads.get(POLICIES, record.namespace, record.policy)
    if policy is None or policy["metadata"].get("deletionTimestamp"):
        return None
    uid = str(policy["metadata"]["uid"])
    return uid if record.policy_uid in (None, uid) else None


async def _refuse(context: Context, faulty: Faulty) -> None:
    """A run that does not parse fails, unless it ended before: then it stays as it is."""
    status = faulty.body.get("status") or {}
    if status.get("phase") in TERMINAL_PHASES or faulty.error.reason is not Reason.InvalidSpec:
        return
    meta = ObjectMeta.model_validate(faulty.body["metadata"])
    now = context.now()
    condition = {
        "type": "Succeeded",
        "status": "False",
        "reason": faulty.error.reason.name,
        "message": str(faulty)[:1024],
        "lastTransitionTime": now.isoformat().replace("+00:00", "Z"),
        "observedGeneration": meta.generation,
    }
    changes = {
        "phase": "Failed",
        "conditions": [condition],
        "message": condition["message"],
        "completionTime": condition["lastTransitionTime"],
        "observedGeneration": meta.generation,
    }
    await context.patch_status(RUNS, meta, changes)
