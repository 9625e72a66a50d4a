"""Which order restores: where each source's data goes, what opens it, which stores are read; and what stands against it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from strongroom.api.backuppolicy import BackupPolicySpec
from strongroom.api.encryption import Encryption
from strongroom.api.fields import SecretKeyReference
from strongroom.api.hooks import Hooks
from strongroom.api.resources import BackupPolicy, BackupRun, BackupStore, RestoreRequest
from strongroom.api.restoreorder import Choice, DropOrder, Opening, Overwritten, RestoreOrder
from strongroom.api.restorerequest import RestorePostgres
from strongroom.api.restoring import RestorePlan
from strongroom.api.sources import PostgresSource, PostgresTls, Source
from strongroom.api.workorder import OrderKind, OrderStore, WorkOrder
from strongroom.domain.policies import LONGEST_DEADLINE
from strongroom.domain.restores import keeps_replaced
from strongroom.domain.runrecords import name_in_stores
from strongroom.domain.sites import Site
from strongroom.domain.spans import parse_span

_DEFAULT_PORT = 5432


@dataclass(frozen=True)
class Basis:
    """What a request refers to, as it is now: the run, its policy, where it is carried out, and stores to read from, in this order."""

    policy_name: str | None
    """Of the request, or of its run; None while the run is not known: its policy's name is a part of every key."""
    policy: BackupPolicy | None
    run: BackupRun | None
    site: Site | None
    stores: Sequence[BackupStore]


def order_stores(
    request: RestoreRequest,
    policy: BackupPolicy | None,
    run: BackupRun | None,
    known: Mapping[str, BackupStore],
) -> list[BackupStore]:
    """The stores to read from: the preferred one, those with a good copy of the run, the policy's, the namespace's others."""
    good = [copy.store for copy in run.status.copies if copy.state == "Succeeded"] if run is not None else []
    named = [] if policy is None else policy.spec.stores
    others = sorted(known) if policy is None else []
    preferred = [request.spec.from_.store] if request.spec.from_.store is not None else []
    order = dict.fromkeys([*preferred, *good, *named, *others])
    return [known[name] for name in order if name in known][:8]


def goes_elsewhere(request: RestoreRequest) -> bool:
    """Whether databases go to another server than the policy's own."""
    target = request.spec.target
    postgres = target.postgres
    moved = postgres is not None and (postgres.host is not None or postgres.container is not None)
    return moved or target.host is not None


def needs_safety(request: RestoreRequest, policy: BackupPolicy | None) -> bool:
    """Whether the present state is backed up before: as asked, and where the policy reads what is overwritten."""
    is_asked = request.spec.target.mode == "InPlace" and request.spec.safety_backup
    return is_asked and policy is not None and not goes_elsewhere(request)


def build_restore_order(
    kind: OrderKind, request: RestoreRequest, basis: Basis, plan: RestorePlan | None
) -> WorkOrder:
    """The order to plan a restore (without a plan), or to carry that plan out."""
    spec = request.spec
    if spec.target.mode == "Drill":
        raise ValueError("a drill has an order of its own")
    targets = build_targets(request, basis)
    containers = [each.container for each in spec.stop_services if each.container is not None]
    restore = RestoreOrder(
        request=request.meta.name,
        choice=_choice(request, basis, plan),
        opening=build_opening(
            basis.policy.spec if basis.policy is not None else None, spec.decryption_key_secret
        ),
        mode=spec.target.mode,
        targets=targets,
        database=spec.target.database,
        path=spec.target.path,
        volume=spec.target.volume,
        persistent_volume_claim=spec.target.persistent_volume_claim,
        strategy=spec.strategy,
        hooks=Hooks(stop=containers, stop_timeout=spec.stop_timeout) if containers else None,
        workloads=[each.workload for each in spec.stop_services if each.workload is not None],
        health_check=spec.health_check,
        safety_run=request.status.safety_run,
        keeps_replaced=keeps_replaced(request),
        allow_special_files=spec.allow_special_files,
        jobs=spec.jobs,
        overwrites=[] if plan is None else _overwritten(plan),
    )
    return _work_order(kind, request, basis.stores, restore=restore)


def _overwritten(plan: RestorePlan) -> list[Overwritten]:
    return [
        Overwritten(source=item.source, database=item.database, container=item.container)
        for item in plan.items
        if item.overwrites
    ]


def build_drop_order(request: RestoreRequest, basis: Basis) -> WorkOrder:
    """The order to drop what the request replaced."""
    drop = DropOrder(
        request=request.meta.name,
        policy=basis.policy_name or "",
        targets=build_targets(request, basis),
        replaced=request.status.replaced,
    )
    return _work_order("DropReplaced", request, basis.stores, drop=drop)


def _work_order(
    kind: OrderKind,
    request: RestoreRequest,
    stores: Sequence[BackupStore],
    *,
    restore: RestoreOrder | None = None,
    drop: DropOrder | None = None,
) -> WorkOrder:
    return WorkOrder(
        kind=kind,
        namespace=request.meta.namespace,
        run_uid=request.meta.uid,
        stores=[OrderStore(name=store.meta.name, spec=store.spec) for store in stores],
        restore=restore,
        drop=drop,
        deadline_seconds=max(
            1, int(parse_span(request.spec.deadline, most=LONGEST_DEADLINE).total_seconds())
        ),
    )


def _choice(request: RestoreRequest, basis: Basis, plan: RestorePlan | None) -> Choice:
    source, run = request.spec.from_, basis.run
    known = None if run is None else run.status
    named = source.run if source.run is None or run is None else name_in_stores(run.meta)
    return Choice(
        policy=basis.policy_name or "",
        run=plan.run if plan is not None else named,
        as_of=source.as_of if plan is None else None,
        recovery_point=plan.recovery_point if plan is not None else known.recovery_point if known else None,
        manifest_sha256=plan.manifest_sha256
        if plan is not None
        else known.manifest_sha256
        if known
        else None,
        sources=source.sources,
        databases=source.databases,
    )


def build_opening(policy: BackupPolicySpec | None, own_key: SecretKeyReference | None) -> Opening:
    """What decrypts and proves: the request's or drill's own key first, then what the policy names."""
    keys = [own_key] if own_key is not None else []
    signing = None if policy is None else policy.signing
    if policy is not None and policy.encryption is not None:
        keys += _keys_of(policy.encryption)
    trusted = [] if signing is None else [signing.private_key_secret]
    if signing is not None and signing.trusted_keys_secret is not None:
        trusted.append(signing.trusted_keys_secret)
    return Opening(
        decryption_keys=list(dict.fromkeys(keys)), trusted_keys=trusted, must_be_signed=signing is not None
    )


def _keys_of(encryption: Encryption) -> list[SecretKeyReference]:
    if encryption.openssl is not None:
        return [encryption.openssl.passphrase_secret]
    if encryption.age is not None and encryption.age.passphrase_secret is not None:
        return [encryption.age.passphrase_secret]
    return [] if encryption.verification_key_secret is None else [encryption.verification_key_secret]


def digest_targets(request: RestoreRequest, basis: Basis) -> str:
    """SHA-256 of where each source's data goes, and where that is done."""
    site = "" if basis.site is None else "/".join(basis.site.key)
    places = [site, *(source.to_api() for source in build_targets(request, basis))]
    return hashlib.sha256(json.dumps(places, sort_keys=True).encode()).hexdigest()


def build_targets(request: RestoreRequest, basis: Basis) -> list[Source]:
    """Where each chosen source's data goes. Hooks are those of backups, and are left out."""
    wanted = request.spec.from_.sources
    if basis.policy is not None:
        sources = [source.model_copy(update={"hooks": None}) for source in basis.policy.spec.sources]
    else:
        sources = _sources_of_run(request, basis.run)
    chosen = [source for source in sources if not wanted or source.name in wanted]
    return [_aim(source, request) for source in chosen]


def _aim(source: Source, request: RestoreRequest) -> Source:
    """The source with the server, role and database that the request says."""
    if source.postgres is None:
        return source
    spec = request.spec
    postgres = source.postgres
    if spec.target.postgres is not None:
        postgres = _other_server(postgres, spec.target.postgres)
    if spec.target.database is not None:
        postgres = postgres.model_copy(update={"databases": [spec.target.database], "all_databases": False})
    elif spec.from_.databases:
        postgres = postgres.model_copy(update={"databases": spec.from_.databases, "all_databases": False})
    return source.model_copy(update={"postgres": postgres})


def _other_server(postgres: PostgresSource, other: RestorePostgres) -> PostgresSource:
    """The source's server where the request names none, each field the request's where it is set."""
    changes: dict[str, object] = {}
    if other.host is not None or other.container is not None:
        changes = {
            "host": other.host,
            "container": other.container,
            "labelled": False,
            "port": _DEFAULT_PORT,
            "tls": PostgresTls(),
            "all_databases": not postgres.databases,
        }
    named = {
        "port": other.port,
        "tls": other.tls,
        "user": other.user,
        "password_secret": other.password_secret,
    }
    changes |= {name: value for name, value in named.items() if value is not None}
    return postgres.model_copy(update=changes)


def _sources_of_run(request: RestoreRequest, run: BackupRun | None) -> list[Source]:
    """Without a policy: databases go to the server that the request names; files need no source to become a folder."""
    postgres = request.spec.target.postgres
    if run is None or postgres is None or (postgres.host is None and postgres.container is None):
        return []
    databases: dict[str, list[str]] = {}
    for artifact in run.status.artifacts:
        if artifact.kind == "database" and artifact.database is not None:
            databases.setdefault(artifact.source, []).append(artifact.database)
    base = PostgresSource.model_construct()
    return [
        Source.model_construct(
            name=name, postgres=_other_server(base.model_copy(update={"databases": names}), postgres)
        )
        for name, names in databases.items()
    ]
