"""What stands against a restore: every problem of a request, the gravest first."""

from collections.abc import Iterator

from strongroom.api.errors import Reason, excerpt
from strongroom.api.fields import parse_duration
from strongroom.api.resources import RestoreRequest
from strongroom.domain.clusterrestores import find_cluster_problems, names_claims
from strongroom.domain.policies import LONGEST_DEADLINE, Problem
from strongroom.domain.restoreorders import Basis, build_targets, goes_elsewhere
from strongroom.domain.restores import keeps_replaced
from strongroom.domain.sites import is_ready


def find_problem(request: RestoreRequest, basis: Basis) -> Problem | None:
    """The gravest problem that keeps the request from going on, or None."""
    return next(_problems(request, basis), None)


def _problems(request: RestoreRequest, basis: Basis) -> Iterator[Problem]:
    spec, source = request.spec, request.spec.from_
    for field_name in request.unknown:
        yield _problem(Reason.Unsupported, f"{field_name} is set")
    if not 1 <= parse_duration(spec.deadline).total_seconds() <= LONGEST_DEADLINE.total_seconds():
        yield _problem(Reason.InvalidSpec, f"spec.deadline: {spec.deadline!r} must lie between 1s and 30d")
    if basis.policy_name is None:
        words = f"spec.from.run: there is no BackupRun {source.run} in this namespace"
        yield _problem(Reason.BackupNotFound, words)
    if basis.policy is None and spec.target.mode in ("InPlace", "Drill"):
        words = f"spec.target.mode: {spec.target.mode} needs the BackupPolicy {basis.policy_name}, which says what is what"
        yield _problem(Reason.PolicyNotFound, f"{words}; modes NewDatabase and Directory do not")
    if basis.run is None and spec.target.mode == "Drill":
        yield _problem(Reason.BackupNotFound, "spec.from: there is no BackupRun to drill")
    yield from _run_problems(basis)
    yield from _unknown_sources(request, basis)
    if source.store is not None and all(store.meta.name != source.store for store in basis.stores):
        yield _problem(
            Reason.StoreNotFound, f"spec.from.store: there is no BackupStore {source.store} in this namespace"
        )
    if not basis.stores:
        yield _problem(
            Reason.StoreNotFound, "spec.from: no BackupStore that may hold it is in this namespace"
        )
    yield from _server_problems(request, basis)
    yield from _safety_problems(request)
    yield from _site_problems(request, basis)


def _server_problems(request: RestoreRequest, basis: Basis) -> Iterator[Problem]:
    for source in build_targets(request, basis):
        if source.postgres is not None and source.postgres.host is not None and source.postgres.user is None:
            yield _problem(Reason.InvalidSpec, "spec.target.postgres.user: a role is needed with host")
            return


def _run_problems(basis: Basis) -> Iterator[Problem]:
    run = basis.run
    if run is None:
        return
    if run.status.phase not in ("Succeeded", "Partial"):
        words = f"spec.from.run: BackupRun {run.meta.name} is {run.status.phase} and has no verified backup"
        yield _problem(Reason.BackupNotFound, words)
    elif run.status.pruned_time is not None:
        words = f"spec.from.run: retention deleted the backup of BackupRun {run.meta.name}"
        yield _problem(Reason.BackupNotFound, words)


def _unknown_sources(request: RestoreRequest, basis: Basis) -> Iterator[Problem]:
    known = {source.name for source in basis.policy.spec.sources} if basis.policy is not None else set()
    if basis.run is not None:
        known |= {artifact.source for artifact in basis.run.status.artifacts}
    unknown = [name for name in request.spec.from_.sources if known and name not in known]
    if unknown:
        there = ", ".join(sorted(known))
        words = f"spec.from.sources: there is no source {', '.join(unknown)}; there are: {there}"
        yield _problem(Reason.InvalidSpec, words)


def _safety_problems(request: RestoreRequest) -> Iterator[Problem]:
    spec = request.spec
    if (
        spec.target.mode == "InPlace"
        and spec.safety_backup
        and goes_elsewhere(request)
        and not _has_way_back(request)
    ):
        words = (
            "spec.safetyBackup: the policy backs up its own server, not that of spec.target; with strategy "
            f"{spec.strategy} and keepReplaced {spec.keep_replaced} there would be no way back"
        )
        yield _problem(Reason.InvalidSpec, f"{words}. Set safetyBackup: false if that is meant so")


def _has_way_back(request: RestoreRequest) -> bool:
    return request.spec.strategy == "Swap" and keeps_replaced(request)


def _site_problems(request: RestoreRequest, basis: Basis) -> Iterator[Problem]:
    """What keeps its Jobs from running where they should."""
    wanted = request.spec.target.host or (basis.policy.spec.host if basis.policy is not None else None)
    field = "spec.target.host" if request.spec.target.host is not None else "the policy's spec.host"
    if wanted is None:
        yield from find_cluster_problems(request, basis)
        return
    if basis.site is None:
        words = f"{field}: there is no DockerHost {wanted} that serves namespace {request.meta.namespace}"
        yield _problem(Reason.HostNotFound, words)
    elif not is_ready(basis.site):
        yield _problem(Reason.HostNotReady, f"{field}: the agent of DockerHost {wanted} is not alive")
    if any(each.workload is not None for each in request.spec.stop_services):
        words = f"spec.stopServices: DockerHost {wanted} has containers, and no Deployments or StatefulSets"
        yield _problem(Reason.InvalidSpec, words)
    if names_claims(request, basis):
        words = f"{field}: DockerHost {wanted} mounts no persistentVolumeClaim"
        yield _problem(
            Reason.InvalidSpec, f"{words}: choose others (spec.from.sources), or a folder or volume"
        )


def _problem(reason: Reason, words: str) -> Problem:
    return Problem(reason, f"{excerpt(words, 700)}. {reason.hint}")
