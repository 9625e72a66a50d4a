"""Whether a policy can be carried out: every problem that stands against it, the gravest first."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from strongroom.api.backuppolicy import BackupPolicySpec
from strongroom.api.backupstore import BackupStoreSpec
from strongroom.api.conditions import READY, find_condition
from strongroom.api.errors import Reason, StrongroomError, excerpt, reason_named
from strongroom.api.fields import parse_duration
from strongroom.api.resources import BackupPolicy, BackupStore, DockerHost
from strongroom.api.sources import Source
from strongroom.domain.adoption import adopted_uids
from strongroom.domain.drillapplications import find_application_trouble, find_pod_trouble
from strongroom.domain.hosts import find_engine_trouble
from strongroom.domain.places import find_local_fault, find_twins
from strongroom.domain.recipients import find_recipient_trouble
from strongroom.domain.schedule import find_zone, parse_schedule
from strongroom.domain.sites import CLUSTER, Cluster, Site, is_ready

LONGEST_DEADLINE = timedelta(days=30)
LONGEST_POLICY_NAME = 63


@dataclass(frozen=True)
class Problem:
    """Something that stands against a policy. One that `blocks` keeps its runs from starting; others may pass."""

    reason: Reason
    message: str
    blocks: bool = True


@dataclass(frozen=True)
class Surroundings:
    """What a policy refers to, as it is now: the stores that exist by name, and where its Jobs would run."""

    stores: Mapping[str, BackupStore] = field(default_factory=dict)
    invalid_stores: Mapping[str, str] = field(default_factory=dict)
    """Stores that exist and cannot be read: their fault in words."""
    site: Site | None = None
    runs_pods: bool = False
    """Whether the API server is a cluster's."""

    def specs(self) -> dict[str, BackupStoreSpec]:
        """The stores' specifications by name."""
        return {name: store.spec for name, store in self.stores.items()}


def find_problems(policy: BackupPolicy, around: Surroundings) -> Iterator[Problem]:
    """Every problem, in order of precedence: the spec itself, what this version lacks, what is missing, what is down."""
    yield from _spec_problems(policy)
    yield from _stopped_servers(policy.spec)
    yield from _unencrypted(policy.spec)
    yield from _unusable_recipients(policy.spec)
    for unsupported in (*policy.unknown, *_unsupported(policy.spec, around)):
        message = f"{unsupported} is set"
        yield Problem(Reason.Unsupported, f"{message}. {Reason.Unsupported.hint}")
    yield from _store_problems(policy.spec, around)
    yield from _site_problems(policy, around)
    yield from _store_states(policy.spec, around)
    yield from _drill_problems(policy.spec, around)
    yield from _unreadable_adoption(policy)


def find_blocker(policy: BackupPolicy, around: Surroundings) -> Problem | None:
    """The gravest problem that keeps a run from starting, or None."""
    return next((problem for problem in find_problems(policy, around) if problem.blocks), None)


def find_lasting_problem(policy: BackupPolicy, around: Surroundings) -> Problem | None:
    """The gravest problem that keeps runs from starting until somebody changes something, or None."""
    lasting = (p for p in find_problems(policy, around) if p.blocks and not p.reason.retryable)
    return next(lasting, None)


def resolve_host(name: str, namespace: str, hosts: Iterable[DockerHost]) -> DockerHost | None:
    """The DockerHost a policy means: the one in its own namespace, else one elsewhere that allows this namespace."""
    named = [host for host in hosts if host.meta.name == name]
    own = (host for host in named if host.meta.namespace == namespace)
    allowing = (host for host in named if namespace in host.spec.allowed_namespaces)
    return next(own, None) or min(allowing, key=lambda host: host.key, default=None)


def site_identity(policy: BackupPolicy, site: Site | None) -> str:
    """Where the policy's Jobs run, as one word: names such as localhost or `db` mean something else elsewhere."""
    return "/".join((policy.meta.namespace, policy.spec.host or CLUSTER) if site is None else site.key)


def is_clock_suspect(last_slot: datetime | None, now: datetime, tolerance: timedelta) -> bool:
    """Whether a slot was decided that lies ahead: the clock was ahead then, or is behind now."""
    return last_slot is not None and last_slot > now + tolerance


def _spec_problems(policy: BackupPolicy) -> Iterator[Problem]:
    name = policy.meta.name
    if len(name) > LONGEST_POLICY_NAME or "." in name:
        message = f"metadata.name: {excerpt(name)!r} must be a DNS label of at most {LONGEST_POLICY_NAME} characters"
        yield Problem(Reason.InvalidSpec, f"{message}. {Reason.InvalidSpec.hint}")
    if not timedelta(seconds=1) <= parse_duration(policy.spec.deadline) <= LONGEST_DEADLINE:
        message = f"spec.deadline: {policy.spec.deadline!r} must lie between 1s and 30d"
        yield Problem(Reason.InvalidSpec, f"{message}. {Reason.InvalidSpec.hint}")
    try:
        if policy.spec.schedule is None:
            find_zone(policy.spec.time_zone)  # retention counts its days in it
        else:
            parse_schedule(policy.spec.schedule, policy.spec.time_zone)
    except StrongroomError as error:
        yield Problem(error.reason, f"{error}. {error.reason.hint}")


def _unreadable_adoption(policy: BackupPolicy) -> Iterator[Problem]:
    """Backups go on; retention counts no earlier policy's as its own until the annotation can be read."""
    try:
        adopted_uids(policy.meta)
    except StrongroomError as error:
        yield Problem(error.reason, f"{error}. {error.reason.hint}", blocks=False)


def _stopped_servers(spec: BackupPolicySpec) -> Iterator[Problem]:
    """A server is dumped by its own programs: while it is stopped or frozen there is nothing to dump."""
    for index, source in enumerate(spec.sources):
        container = source.postgres.container if source.postgres is not None else None
        for where, hooks in (("spec.hooks", spec.hooks), (f"spec.sources[{index}].hooks", source.hooks)):
            if container is not None and hooks is not None and container in (*hooks.stop, *hooks.pause):
                message = f"{where}: {container} is stopped or paused, and source {source.name} dumps it while it runs"
                yield Problem(Reason.InvalidSpec, f"{message}. {Reason.InvalidSpec.hint}")


def _unencrypted(spec: BackupPolicySpec) -> Iterator[Problem]:
    """Configuration holds secrets more often than not: in the clear only where the policy says so."""
    for source in spec.sources:
        if source.config is None or source.config.allow_unencrypted or spec.encryption is not None:
            continue
        message = f"spec.sources: {source.name} is configuration, which may hold secrets, and the policy has no encryption"
        yield Problem(Reason.EncryptionRequired, f"{message}. {Reason.EncryptionRequired.hint}")


def _unusable_recipients(spec: BackupPolicySpec) -> Iterator[Problem]:
    """Public keys stand in the policy: what is wrong with them is seen here. Their text is not told: one may be a private key."""
    age = spec.encryption.age if spec.encryption is not None else None
    for place, recipient in enumerate((age.recipients if age is not None else None) or []):
        if (trouble := find_recipient_trouble(recipient)) is not None:
            message = f"spec.encryption.age.recipients[{place}]: {trouble}"
            yield Problem(Reason.KeyUnusable, f"{message}. {Reason.KeyUnusable.hint}")


def _drill_problems(spec: BackupPolicySpec, around: Surroundings) -> Iterator[Problem]:
    """What keeps drills from running keeps no backup from being made."""
    drill, encryption = spec.drill, spec.encryption
    if drill is None:
        return
    try:
        parse_schedule(drill.schedule, spec.time_zone)
    except StrongroomError as error:
        if error.reason is Reason.ScheduleInvalid:
            words = str(error).replace("spec.schedule", "spec.drill.schedule")
            yield Problem(error.reason, f"{words}. {error.reason.hint}", blocks=False)
    unknown = [name for name in drill.sources if name not in {source.name for source in spec.sources}]
    if unknown:
        message = f"spec.drill.sources: there is no source {', '.join(unknown)} in spec.sources"
        yield Problem(Reason.InvalidSpec, f"{message}. {Reason.InvalidSpec.hint}", blocks=False)
    if isinstance(around.site, Cluster) and (trouble := find_pod_trouble(drill)) is not None:
        yield Problem(Reason.Unsupported, trouble, blocks=False)
    for message in find_application_trouble(spec):
        yield Problem(Reason.InvalidSpec, f"{message}. {Reason.InvalidSpec.hint}", blocks=False)
    is_sealed = (
        encryption is not None and encryption.openssl is None and encryption.verification_key_secret is None
    )
    if is_sealed and drill.decryption_key_secret is None:
        message = (
            "spec.drill.decryptionKeySecret: encrypted backups cannot be drilled without what decrypts them"
        )
        yield Problem(Reason.KeyUnusable, f"{message}. {Reason.DecryptionFailed.hint}", blocks=False)


def _unsupported(spec: BackupPolicySpec, around: Surroundings) -> Iterator[str]:
    """Fields that ask for what this version does not do."""
    for name in spec.stores:
        store = around.stores.get(name)
        if store is None:
            continue
        yield from (f"BackupStore {name}: {field_name}" for field_name in store.unknown)
        if (unsupported := unsupported_field(store.spec)) is not None:
            yield f"BackupStore {name}: {unsupported}"


def unsupported_field(store: BackupStoreSpec) -> str | None:
    """The first field of a store that this version does not act on, or None."""
    return "spec.objectLock" if store.object_lock is not None and store.s3 is None else None


def _store_problems(spec: BackupPolicySpec, around: Surroundings) -> Iterator[Problem]:
    for name in spec.stores:
        if name in around.invalid_stores:
            yield Problem(Reason.InvalidSpec, around.invalid_stores[name])
        elif name not in around.stores:
            message = f"spec.stores: there is no BackupStore {name} in this namespace"
            yield Problem(Reason.StoreNotFound, f"{message}. {Reason.StoreNotFound.hint}")
    if (twins := find_twins(spec.stores, around.specs())) is not None:
        message = f"spec.stores: {' and '.join(twins)} are one and the same place, which holds one copy"
        yield Problem(Reason.InvalidSpec, f"{message}. {Reason.InvalidSpec.hint}")


def _site_problems(policy: BackupPolicy, around: Surroundings) -> Iterator[Problem]:
    """What keeps its Jobs from running where they should."""
    wanted, site = policy.spec.host, around.site
    if wanted is None:
        yield from find_cluster_problems(policy.spec, around.specs(), runs_pods=around.runs_pods)
        return
    yield from _misplaced_claims(policy.spec, around.specs())
    if site is None:
        message = f"spec.host: there is no DockerHost {wanted} that serves namespace {policy.meta.namespace}"
        yield Problem(Reason.HostNotFound, f"{message}. {Reason.HostNotFound.hint}")
    elif not is_ready(site):
        message = f"spec.host: the agent of DockerHost {wanted} is not alive"
        yield Problem(Reason.HostNotReady, f"{message}. {Reason.HostNotReady.hint}")
    elif (
        not isinstance(site, Cluster)
        and policy.spec.needs_engine
        and (trouble := find_engine_trouble(site)) is not None
    ):
        message = (
            f"spec.host: the Docker Engine of DockerHost {wanted} cannot be used: {trouble.removesuffix('.')}"
        )
        yield Problem(Reason.EngineUnreachable, f"{message}. {Reason.EngineUnreachable.hint}")


def _misplaced_claims(spec: BackupPolicySpec, stores: Mapping[str, BackupStoreSpec]) -> Iterator[Problem]:
    """Claims are a cluster's: no Docker host can mount them."""
    for source in spec.sources:
        if source.files is not None and source.files.persistent_volume_claim is not None:
            yield _invalid(
                f"spec.sources: {source.name} is a persistentVolumeClaim, which DockerHost {spec.host} cannot mount: "
                "leave spec.host out"
            )
    for name in spec.stores:
        local = stores[name].local if name in stores else None
        if local is not None and local.persistent_volume_claim is not None:
            yield _invalid(
                f"spec.stores: BackupStore {name} lies in a persistentVolumeClaim, which DockerHost {spec.host} cannot mount: "
                "leave spec.host out, or name a store of the host"
            )


def find_cluster_problems(
    spec: BackupPolicySpec, stores: Mapping[str, BackupStoreSpec], *, runs_pods: bool
) -> Iterator[Problem]:
    """What keeps the cluster from running the policy's Jobs."""
    if not runs_pods:
        message = "spec.host is not set, and this API server runs no pods"
        yield Problem(Reason.Unsupported, f"{message}. Name a DockerHost (kubectl get dockerhosts).")
        return
    if spec.hooks is not None or any(source.hooks is not None for source in spec.sources):
        yield _unsupported_in_cluster("hooks stop and enter containers of a Docker host")
    for words in find_foreign(spec.sources):
        yield _unsupported_in_cluster(words)
    for name in spec.stores:
        if name in stores and (fault := find_local_fault(stores[name])) is not None:
            yield _invalid(f"spec.stores: BackupStore {name}: {fault}")


def find_foreign(sources: Iterable[Source]) -> Iterator[str]:
    """What of sources a pod cannot have, in words with the way out."""
    for source in sources:
        postgres, files = source.postgres, source.files
        if postgres is not None and postgres.host is None:
            yield f"source {source.name}: reach the server by postgres.host"
        elif files is not None and files.persistent_volume_claim is None:
            yield f"source {source.name}: files are those of a persistentVolumeClaim"
        elif source.config is not None:
            yield f"source {source.name}: config reads files of a Docker host"


def _unsupported_in_cluster(words: str) -> Problem:
    return Problem(
        Reason.Unsupported,
        f"without spec.host the cluster runs the Jobs: {words}. Change it, or set spec.host.",
    )


def _invalid(message: str) -> Problem:
    return Problem(Reason.InvalidSpec, f"{message}. {Reason.InvalidSpec.hint}")


def _store_states(spec: BackupPolicySpec, around: Surroundings) -> Iterator[Problem]:
    """Stores that were not ready when last reached, if too few are left. A run tries all the same: it is what finds out."""
    found = [problem for name in spec.stores if (problem := _store_state(name, around)) is not None]
    if len(spec.stores) - len(found) < (spec.min_copies or len(spec.stores)):
        yield from found


def _store_state(name: str, around: Surroundings) -> Problem | None:
    store = around.stores.get(name)
    ready = None if store is None else find_condition(store.status.conditions, READY)
    if ready is None or ready.status != "False":
        return None
    reason = reason_named(ready.reason) or Reason.StoreFailed
    return Problem(reason, f"BackupStore {name}: {ready.message}", blocks=False)
