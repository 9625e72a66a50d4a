"""Which Job: for a run, for copies that it lacks, for a look at a store or its catalogue, for a restore, or for a drill."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom.api.fields import SecretKeyReference, parse_duration
from strongroom.api.jobsettings import JobSettings
from strongroom.api.labels import POLICY_LABEL, REQUEST_LABEL, RUN_LABEL, STORE_LABEL
from strongroom.api.resources import BackupPolicy, BackupRun, BackupStore, RestoreRequest
from strongroom.api.workorder import BackupOrder, CatalogueOrder, CatchUpOrder, OrderStore, WorkOrder
from strongroom.domain.adoption import readable_uids
from strongroom.domain.jobbodies import Body, JobPlan, Undoing, build_body, build_owner, label_value
from strongroom.domain.names import (
    catch_up_job_name,
    check_job_name,
    job_name,
    restore_job_name,
    sync_job_name,
)
from strongroom.domain.safety import safety_spec
from strongroom.domain.sites import Site

CHECK_DEADLINE = timedelta(minutes=5)
SYNC_DEADLINE = timedelta(hours=1)
CATCH_UP_RETRIES = 1
"""Of one attempt: the pauses between attempts are the operator's."""


@dataclass(frozen=True)
class CataloguePart:
    """Which part of a catalogue is asked for, in the walk that began at that moment."""

    began: datetime
    after: str | None
    expected: Sequence[str] = ()
    """What must be there, and is looked for where the listing does not show it."""


@dataclass(frozen=True)
class Place:
    """Where a Job runs, and how its pod is if that is the cluster: as the policy says, as long as there is one."""

    site: Site
    settings: JobSettings | None = None
    undoes: Undoing | None = None


def build_job(
    run: BackupRun,
    policy: BackupPolicy,
    stores: Sequence[BackupStore],
    site: Site,
    held_runs: Iterable[str],
    image: str,
) -> Body:
    """The Job of a run. `stores` are the policy's, in its order; `held_runs` are never pruned.

    Raises InvalidSpec when the order would not fit into an object.
    """
    labels = {POLICY_LABEL: policy.meta.name, RUN_LABEL: label_value(run.meta.name)}
    plan = JobPlan(
        name=job_name(run.meta.name, run.meta.uid),
        namespace=run.meta.namespace,
        owner=build_owner("BackupRun", run.meta),
        labels=labels,
        order=_backup_order(run, policy, stores, held_runs),
        backoff_limit=policy.spec.backoff_limit,
        site=site,
        settings=policy.spec.job,
    )
    return build_body(plan, image)


def build_catch_up_job(
    run: BackupRun, policy: BackupPolicy, stores: Sequence[BackupStore], site: Site, image: str
) -> Body:
    """The Job of the next attempt to copy a run's recovery point to those of the stores that lack it. It reads no source."""
    status = run.status
    if status.recovery_point is None:
        raise ValueError(f"BackupRun {run.meta.name} made no recovery point")
    order = WorkOrder(
        kind="CatchUp",
        namespace=run.meta.namespace,
        run_uid=run.meta.uid,
        stores=[OrderStore(name=store.meta.name, spec=store.spec) for store in stores],
        catch_up=CatchUpOrder(
            policy=policy.meta.name,
            policy_uid=status.policy_uid or policy.meta.uid,
            recovery_point=status.recovery_point,
            manifest_sha256=status.manifest_sha256,
            encryption=policy.spec.encryption,
            signing=policy.spec.signing,
        ),
        deadline_seconds=int(parse_duration(policy.spec.deadline).total_seconds()),
    )
    attempts = status.catch_up.attempts if status.catch_up is not None else 0
    plan = JobPlan(
        name=catch_up_job_name(run.meta.name, run.meta.uid, attempts + 1),
        namespace=run.meta.namespace,
        owner=build_owner("BackupRun", run.meta),
        labels={POLICY_LABEL: policy.meta.name, RUN_LABEL: label_value(run.meta.name)},
        order=order,
        backoff_limit=CATCH_UP_RETRIES,
        site=site,
        settings=policy.spec.job,
    )
    return build_body(plan, image)


def build_store_check_job(store: BackupStore, site: Site, moment: datetime, image: str) -> Body:
    """The Job that looks at a store from a host: list, write, read back and delete a probe."""
    order = WorkOrder(
        kind="CheckStore",
        namespace=store.meta.namespace,
        run_uid=store.meta.uid,
        stores=[OrderStore(name=store.meta.name, spec=store.spec)],
        deadline_seconds=int(CHECK_DEADLINE.total_seconds()),
    )
    where = "/".join(site.key)
    plan = JobPlan(
        name=check_job_name(store.meta.name, store.meta.uid, where, moment),
        namespace=store.meta.namespace,
        owner=build_owner("BackupStore", store.meta),
        labels={STORE_LABEL: store.meta.name},
        order=order,
        backoff_limit=0,
        site=site,
    )
    return build_body(plan, image)


def build_request_job(
    request: RestoreRequest, order: WorkOrder, purpose: str, place: Place, image: str
) -> Body:
    """The Job that plans a restore, carries it out, or drops what it replaced. Raises as `build_job` does."""
    plan = JobPlan(
        name=restore_job_name(request.meta.name, request.meta.uid, purpose),
        namespace=request.meta.namespace,
        owner=build_owner("RestoreRequest", request.meta),
        labels={REQUEST_LABEL: label_value(request.meta.name)},
        order=order,
        backoff_limit=request.spec.backoff_limit,
        site=place.site,
        settings=place.settings,
        undoes=place.undoes,
    )
    return build_body(plan, image)


def build_drill_job(policy: BackupPolicy, order: WorkOrder, name: str, site: Site, image: str) -> Body:
    """The Job of a drill. It is not tried again by itself: a backup that does not restore does not restore twice."""
    plan = JobPlan(
        name=name,
        namespace=policy.meta.namespace,
        owner=build_owner("BackupPolicy", policy.meta),
        labels={POLICY_LABEL: policy.meta.name},
        order=order,
        backoff_limit=0,
        site=site,
        settings=policy.spec.job,
    )
    return build_body(plan, image)


def build_catalogue_job(
    store: BackupStore, site: Site, part: CataloguePart, keys: Sequence[SecretKeyReference], image: str
) -> Body:
    """The Job that tells what a store holds of its namespace, or a part of it. `keys` are those whose signatures count."""
    order = WorkOrder(
        kind="Catalogue",
        namespace=store.meta.namespace,
        run_uid=store.meta.uid,
        stores=[OrderStore(name=store.meta.name, spec=store.spec)],
        catalogue=CatalogueOrder(after=part.after, expected=list(part.expected), trusted_keys=list(keys)),
        deadline_seconds=int(SYNC_DEADLINE.total_seconds()),
    )
    where = "/".join(site.key)
    plan = JobPlan(
        name=sync_job_name(store.meta.name, store.meta.uid, where, part.began, part.after),
        namespace=store.meta.namespace,
        owner=build_owner("BackupStore", store.meta),
        labels={STORE_LABEL: store.meta.name},
        order=order,
        backoff_limit=0,
        site=site,
    )
    return build_body(plan, image)


def _backup_order(
    run: BackupRun, policy: BackupPolicy, stores: Sequence[BackupStore], held_runs: Iterable[str]
) -> WorkOrder:
    slot = run.spec.slot or run.meta.creation_timestamp
    if slot is None:
        raise ValueError(f"BackupRun {run.meta.name} was not read from an API server")
    is_safety = run.spec.reason == "Safety"
    spec = safety_spec(policy.spec, run.spec.sources) if is_safety else policy.spec
    backup = BackupOrder(
        policy=policy.meta.name,
        policy_uid=policy.meta.uid,
        adopted_uids=readable_uids(policy.meta),
        run=run.meta.name,
        reason=run.spec.reason,
        slot=slot,
        sources=spec.sources,
        hooks=spec.hooks,
        compression=spec.compression,
        encryption=spec.encryption,
        signing=spec.signing,
        verification=spec.verification,
        min_copies=spec.min_copies,
        min_size_percent=spec.min_size_percent,
        retention=spec.retention,
        time_zone=spec.time_zone,
        held_runs=sorted({*held_runs, *([run.meta.name] if run.spec.hold else [])}),
    )
    return WorkOrder(
        kind="Backup",
        namespace=run.meta.namespace,
        run_uid=run.meta.uid,
        stores=[OrderStore(name=store.meta.name, spec=store.spec) for store in stores],
        backup=backup,
        deadline_seconds=int(parse_duration(spec.deadline).total_seconds()),
    )
