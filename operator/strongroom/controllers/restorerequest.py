"""RestoreRequests: find out what would be done, wait for its confirmation, secure the present state, restore, mind what is kept."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from strongroom.api.backuprun import BackupRunSpec
from strongroom.api.errors import StrongroomError
from strongroom.api.fields import format_time
from strongroom.api.group import API_VERSION
from strongroom.api.labels import MANAGED_BY_LABEL, MANAGER, POLICY_LABEL, REQUEST_LABEL
from strongroom.api.resources import BackupRun, ObjectMeta, RestoreRequest, parse_restore, parse_run
from strongroom.api.workorder import WorkOrder
from strongroom.controllers.context import Context
from strongroom.controllers.keys import Key
from strongroom.controllers.pods import find_node
from strongroom.controllers.scaling import Wish, find_trouble
from strongroom.domain.drillorders import build_drill_order
from strongroom.domain.jobbodies import Undoing
from strongroom.domain.jobs import Place, build_request_job
from strongroom.domain.jobstates import JobState
from strongroom.domain.names import restore_job_name, safety_run_name
from strongroom.domain.places import can_be_read
from strongroom.domain.podbodies import source_claims
from strongroom.domain.policies import resolve_host
from strongroom.domain.restoreorders import (
    Basis,
    build_drop_order,
    build_restore_order,
    digest_targets,
    needs_safety,
    order_stores,
)
from strongroom.domain.restoreproblems import find_problem
from strongroom.domain.restores import TERMINAL_PHASES, RestoreFacts, next_step
from strongroom.domain.restorestatus import build_status
from strongroom.domain.restoresteps import (
    AwaitConfirmation,
    AwaitSafetyRun,
    Dropped,
    Finish,
    FollowJob,
    MakeJob,
    MakeSafetyRun,
    Proceed,
    Purpose,
    Rest,
    Step,
    Wait,
)
from strongroom.domain.runrecords import newest_success
from strongroom.domain.sites import Cluster, Site, is_ready
from strongroom.domain.targets import Target
from strongroom.kube.events import EventType
from strongroom.kube.kinds import JOBS, RESTORES, RUNS
from strongroom.kube.rights import on

RIGHTS = (
    on(RESTORES, "patch", sub="status"),
    on(RUNS, "get", "create"),
    on(JOBS, "get", "create", "delete"),
)

CLOCK_LOOK = timedelta(seconds=10)
"""How soon to look again whether the clock is right, before anything is dropped."""
JOB_KEPT = timedelta(hours=1)
"""A finished Job stays this long beside its request, for people to look at."""
PURPOSES: tuple[Purpose, ...] = ("plan", "restore", "undo", "drop")


@dataclass(frozen=True)
class _View:
    """One request with what it refers to, and what the decision rests on."""

    request: RestoreRequest
    basis: Basis
    facts: RestoreFacts


async def reconcile_restore(context: Context, key: Key) -> datetime | None:
    """Take one request as far as it goes now; returns when to look again although nothing happens."""
    body = context.observed.restores.get((key.namespace, key.name))
    if body is None:
        return None
    try:
        request = parse_restore(body)
    except StrongroomError as error:
        await _refuse(context, body, error)
        return None
    view = await _look(context, request)
    step = next_step(view.facts)
    if isinstance(step, MakeJob) and step.purpose == "drop" and context.server_clock.trouble is not None:
        step = Rest(context.now() + CLOCK_LOOK)  # by whose clock has its time come?
    elif isinstance(step, MakeJob):
        step = await _make_job(context, view, step)
    elif isinstance(step, MakeSafetyRun):
        step = await _make_safety_run(context, view, step)
    status = build_status(request, step, view.facts.safety, context.now(), view.facts.targets)
    await context.write_status(RESTORES, request.meta, request.status, status)
    await _announce(context, request, step)
    await _settle(context, view, step)
    return _next_look(context, request, step)


async def _look(context: Context, request: RestoreRequest) -> _View:
    basis = await _find_basis(context, request)
    jobs = await _find_jobs(context, request)
    name = safety_run_name(request.meta.name, request.meta.uid)
    safety = context.observed.runs.get((request.meta.namespace, name))
    if safety is not None and safety.reason != "Safety":
        safety = None
    facts = RestoreFacts(
        request=request,
        problem=find_problem(request, basis),
        jobs=jobs,
        safety=safety,
        needs_safety=needs_safety(request, basis.policy),
        busy=None,
        host_is_alive=basis.site is not None and is_ready(basis.site),
        now=context.now(),
        can_undo=isinstance(basis.site, Cluster) and request.spec.target.mode != "Drill",
        expected_seconds=_expected_seconds(basis),
        clock_is_suspect=context.clock_trouble is not None,
        clock_ahead=context.jumps.ahead_since(request.status.completion_time or context.now()),
        targets=digest_targets(request, basis),
    )
    return _View(request, basis, facts)


async def _find_basis(context: Context, request: RestoreRequest) -> Basis:
    namespace, source = request.meta.namespace, request.spec.from_
    run = await _find_run(
        context, namespace, source.run or _planned_run(request) or _newest(context, request)
    )
    name = source.policy or (run.spec.policy if run is not None else None)
    policy = context.observed.policies.get((namespace, name)) if name is not None else None
    wanted = request.spec.target.host or (policy.spec.host if policy is not None else None)
    site: Site | None
    if wanted is None:
        site = context.observed.cluster(namespace)
    else:
        site = resolve_host(wanted, namespace, context.observed.hosts.values())
    known = {
        store: each
        for (where, store), each in context.observed.stores.items()
        if where == namespace and can_be_read(each.spec, site)
    }
    return Basis(name, policy, run, site, order_stores(request, policy, run, known))


def _expected_seconds(basis: Basis) -> float | None:
    last = None if basis.policy is None else basis.policy.status.last_drill
    return last.restore_seconds if last is not None and last.passed else None


def _newest(context: Context, request: RestoreRequest) -> str | None:
    """The run to drill by the policy; of restores the stores' own manifests decide."""
    source = request.spec.from_
    policy = context.observed.policies.get((request.meta.namespace, source.policy or ""))
    if request.spec.target.mode != "Drill" or policy is None:
        return None
    records = context.observed.runs_of(policy.key)
    known = [each for each in records if source.as_of is None or each.moment <= source.as_of]
    newest = newest_success(known, policy.spec)
    return None if newest is None else newest.name


def _planned_run(request: RestoreRequest) -> str | None:
    return None if request.status.plan is None else request.status.plan.run


async def _find_run(context: Context, namespace: str, name: str | None) -> BackupRun | None:
    """The run, whole: what is remembered of thousands is not enough."""
    if name is None or (namespace, name) not in context.observed.runs:
        return None
    body = await context.client.reads.get(RUNS, namespace, name)
    if body is None:
        return None
    try:
        return parse_run(body)
    except StrongroomError:
        return None


def _job_name(request: RestoreRequest, purpose: Purpose) -> str:
    """A Job that drops what could not be dropped before is another one."""
    moment = request.status.drop_time
    tail = f" {format_time(moment)}" if purpose == "drop" and moment is not None else ""
    return restore_job_name(request.meta.name, request.meta.uid, purpose + tail)


async def _find_jobs(context: Context, request: RestoreRequest) -> dict[Purpose, JobState]:
    """The request's Jobs. Before one that was under way is missed, the server itself is asked."""
    found: dict[Purpose, JobState] = {}
    for purpose in PURPOSES:
        name = request.meta.namespace, _job_name(request, purpose)
        if name not in context.observed.jobs and request.status.job == name[1]:
            body = await context.client.reads.get(JOBS, *name)
            if body is not None:
                context.take_in(JOBS, body)
        job = context.observed.jobs.get(name)
        if job is not None and any(owner.uid == request.meta.uid for owner in job.meta.owner_references):
            found[purpose] = job
    return found


async def _make_job(context: Context, view: _View, step: MakeJob) -> Step:
    """Make the Job, or adopt the one that is there, unless its target is busy; the step that follows from it."""
    request, policy = view.request, view.basis.policy
    order = _build_order(view, step.purpose)
    site = await _find_site(context, view, order)
    if step.purpose == "plan" and isinstance(site, Cluster):
        trouble = await find_trouble(context, request.meta.namespace, Wish.of(request))
        if trouble is not None:
            words = f"{trouble}. {trouble.reason.hint}"
            return Finish(succeeded=False, reason=trouble.reason.name, message=words)
    async with context.starting:
        targets = context.observed.turns.targets_of_order(order, site)
        busy = _busy(context, request, step.purpose, targets)
        if busy is not None:
            return next_step(replace(view.facts, busy=busy))
        try:
            body = build_request_job(
                request,
                order,
                _job_purpose(request, step.purpose),
                Place(site, None if policy is None else policy.spec.job, _undoing(view, step)),
                context.settings.worker_image,
            )
        except StrongroomError as error:
            return Finish(succeeded=False, reason=error.reason.name, message=f"{error}. {error.reason.hint}")
        made = await context.client.ensure(JOBS, request.meta.namespace, body)
        context.take_in(JOBS, made)
    return next_step(replace(view.facts, jobs=await _find_jobs(context, request)))


def _undoing(view: _View, step: MakeJob) -> Undoing | None:
    restored = view.facts.jobs.get("restore")
    return Undoing(None if restored is None else restored.note) if step.purpose == "undo" else None


async def _find_site(context: Context, view: _View, order: WorkOrder) -> Site:
    """Where the Job runs; in a cluster near the volumes that it restores into."""
    site = view.basis.site
    if site is None:
        raise ValueError("no Job is made while nothing would run it: that is a problem of the request")
    if not isinstance(site, Cluster):
        return site
    node = await find_node(context, view.request.meta.namespace, source_claims(order))
    return replace(site, node=node)


def _job_purpose(request: RestoreRequest, purpose: Purpose) -> str:
    moment = request.status.drop_time
    return f"{purpose} {format_time(moment)}" if purpose == "drop" and moment is not None else purpose


def _busy(
    context: Context, request: RestoreRequest, purpose: Purpose, targets: tuple[Target, ...]
) -> str | None:
    own = request.meta.namespace, _job_name(request, purpose)
    return context.observed.turns.working_on(targets, own)


def _build_order(view: _View, purpose: Purpose) -> WorkOrder:
    if purpose == "drop":
        return build_drop_order(view.request, view.basis)
    if view.request.spec.target.mode == "Drill":
        return _build_drill_order(view)
    if purpose == "plan":
        return build_restore_order("PlanRestore", view.request, view.basis, None)
    return build_restore_order("Restore", view.request, view.basis, view.request.status.plan)


def _build_drill_order(view: _View) -> WorkOrder:
    policy, run = view.basis.policy, view.basis.run
    if policy is None or run is None:
        raise ValueError("a drill needs its policy and a run")
    key = view.request.spec.decryption_key_secret
    return build_drill_order(policy, run, view.basis.stores, view.request.meta.uid, key)


async def _make_safety_run(context: Context, view: _View, step: MakeSafetyRun) -> Step:
    """Make the run that backs up the present state, or adopt the one that is there."""
    request, policy = view.request, view.basis.policy
    if policy is None:
        raise ValueError("a safety backup needs its policy")
    name = safety_run_name(request.meta.name, request.meta.uid)
    spec = BackupRunSpec(policy=policy.meta.name, reason="Safety", sources=list(step.sources))
    body = {
        "apiVersion": API_VERSION,
        "kind": RUNS.kind,
        "metadata": {
            "name": name,
            "labels": {
                POLICY_LABEL: policy.meta.name,
                MANAGED_BY_LABEL: MANAGER,
                REQUEST_LABEL: request.meta.name[:63].rstrip("-._"),
            },
        },
        "spec": spec.to_api(),
    }
    made = await context.client.ensure(RUNS, request.meta.namespace, body)
    context.take_in(RUNS, made)
    return AwaitSafetyRun(name)


async def _announce(context: Context, request: RestoreRequest, step: Step) -> None:
    """Events about what began, waits or ended."""
    before = request.status
    kind: EventType = "Normal"
    match step:
        case AwaitConfirmation() if before.phase != "AwaitingConfirmation":
            reason, message = "AwaitingConfirmation", step.message
        case Proceed() if before.plan is None:
            reason, message = "Planned", f"Run {step.plan.run} will be restored."
        case AwaitSafetyRun() if before.phase != "Securing":
            reason, message = "Securing", f"BackupRun {step.run} backs up the present state."
        case FollowJob(purpose="restore") if before.phase != "Running":
            reason, message = "Started", f"Job {step.job.meta.name} restores."
        case Finish():
            kind = "Normal" if step.succeeded else "Warning"
            reason = "Succeeded" if step.succeeded else "Failed"
            message = step.message if step.succeeded else f"{step.reason}: {step.message}"
        case Dropped():
            kind = "Normal" if step.trouble is None else "Warning"
            reason = "Dropped" if step.trouble is None else "DropFailed"
            message = step.trouble or f"What was replaced is gone: {step.told}."
        case _:
            return
    await context.tell(RESTORES, request.meta, kind, reason, message)


async def _settle(context: Context, view: _View, step: Step) -> None:
    """Jobs whose result was taken go: at once for a plan and a drop, after a while for the restore."""
    ended = view.request.status.phase in TERMINAL_PHASES
    for purpose, job in view.facts.jobs.items():
        is_taken = {
            "plan": view.request.status.plan is not None or ended,
            "restore": ended,
            "undo": ended,
            "drop": isinstance(step, Dropped),
        }[purpose]
        is_over = job.ending is not None and (
            purpose not in ("restore", "undo") or context.now() >= _kept_until(view.request, job)
        )
        if is_taken and is_over:
            await context.client.delete(JOBS, job.meta.namespace, job.meta.name, uid=job.meta.uid)


def _kept_until(request: RestoreRequest, job: JobState) -> datetime:
    return (request.status.completion_time or job.created) + JOB_KEPT


def _next_look(context: Context, request: RestoreRequest, step: Step) -> datetime | None:
    match step:
        case Proceed():
            return context.now()
        case Wait() | FollowJob():
            return step.until
        case Rest():
            return _earliest(step.until, _settling(context, request))
        case _:
            return None


def _settling(context: Context, request: RestoreRequest) -> datetime | None:
    job = context.observed.jobs.get((request.meta.namespace, _job_name(request, "restore")))
    return None if job is None or job.ending is None else _kept_until(request, job)


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


async def _refuse(context: Context, body: dict[str, object], error: StrongroomError) -> None:
    """A request that does not parse fails, unless it ended before: then it stays as it is."""
    status = body.get("status") or {}
    meta = ObjectMeta.model_validate(body["metadata"])
    if not isinstance(status, dict) or status.get("phase") in TERMINAL_PHASES or meta.deletion_timestamp:
        return
    now = format_time(context.now())
    message = f"{error}. {error.reason.hint}"[:1024]
    condition = {
        "type": "Succeeded",
        "status": "False",
        "reason": error.reason.name,
        "message": message,
        "lastTransitionTime": now,
        "observedGeneration": meta.generation,
    }
    changes = {
        "phase": "Failed",
        "conditions": [condition],
        "message": message,
        "completionTime": now,
        "observedGeneration": meta.generation,
    }
    await context.patch_status(RESTORES, meta, changes)
