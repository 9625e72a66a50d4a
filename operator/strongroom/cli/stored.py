"""Where the copies of a recovery point lie, and what it takes to read them on this machine: asked of the API, or of the user."""

import base64
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import yaml

from strongroom.api.backupstore import BackupStoreSpec, LocalStore
from strongroom.api.errors import StrongroomError
from strongroom.api.fields import SecretKeyReference
from strongroom.api.resources import BackupRun, BackupStore, parse_policy, parse_run, parse_store
from strongroom.api.workorder import CatalogueOrder, OrderStore, WorkOrder
from strongroom.cli.points import find_point
from strongroom.domain.runrecords import is_found
from strongroom.kube.client import KubeClient
from strongroom.kube.kinds import POLICIES, RUNS, SECRETS, STORES
from strongroom.stores.opening import open_store
from strongroom.stores.store import Store
from strongroom.worker.points import Demand
from strongroom.worker.secretfiles import SecretFiles
from strongroom.worker.signatures import Trust, gather_trust

OFFLINE_NAME = "store"


@dataclass(frozen=True)
class Copies:
    """The stores to read from, in this order, and what is known of the recovery point beforehand."""

    stores: list[OrderStore]
    prefix: str | None = None
    """Its key prefix; None if it must be looked for."""
    demand: Demand = field(default_factory=Demand)
    trusted: list[SecretKeyReference] = field(default_factory=list)
    secrets: dict[SecretKeyReference, bytes] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    """What the run says of copies that are not good."""


@dataclass(frozen=True)
class Reading:
    """Stores that are open for reading, and the keys whose signatures count."""

    stores: dict[str, Store]
    trust: Trust
    scratch: Path


async def ask_copies(client: KubeClient, namespace: str, name: str, only: tuple[str, ...]) -> Copies:
    """The copies of a run, good ones first, with the Secrets that they need."""
    run = await _read_run(client, namespace, name)
    prefix = find_point(run)
    troubles = {
        copy.store: copy.message or copy.reason or copy.state
        for copy in run.status.copies
        if copy.state != "Succeeded"
    }
    held = sorted((copy.store for copy in run.status.copies), key=lambda store: store in troubles)
    wrong = [store for store in only if store not in held]
    if wrong:
        raise click.ClickException(
            f"BackupRun {name} has no copy in {', '.join(wrong)}; it has: {', '.join(held)}"
        )
    stores = []
    for store in (each for each in held if each in only or not only):
        body = await client.get(STORES, namespace, store)
        if body is None:
            click.echo(
                f"store {store}: there is no BackupStore of that name any more; its data is where it was",
                err=True,
            )
            continue
        stores.append(OrderStore(name=store, spec=parse_store(body).spec))
    if not stores:
        raise click.ClickException(f"BackupRun {name}: none of its stores is known here; see --store-file")
    trusted, must_be_signed = await _ask_trust(client, run)
    secrets = await _read_secrets(client, namespace, stores, trusted)
    known = run.status.manifest_sha256
    is_vouched = known is not None and not is_found(run.meta)  # by the run itself, not by what lay in a store
    demand = Demand(known, must_be_signed and not is_vouched)
    return Copies(stores, prefix, demand, trusted, secrets, troubles)


async def _read_run(client: KubeClient, namespace: str, name: str) -> BackupRun:
    body = await client.get(RUNS, namespace, name)
    if body is None:
        raise click.ClickException(
            f"no BackupRun {name} in namespace {namespace}; see `strongroom artifacts list`. A store is asked directly with --store-path"
        )
    return parse_run(body)


async def _ask_trust(client: KubeClient, run: BackupRun) -> tuple[list[SecretKeyReference], bool]:
    """The keys that the run's policy trusts, and whether it asks for signatures."""
    body = await client.get(POLICIES, run.meta.namespace, run.spec.policy)
    signing = parse_policy(body).spec.signing if body is not None else None
    if signing is None:
        return [], False
    return [signing.private_key_secret, *filter(None, [signing.trusted_keys_secret])], True


async def _read_secrets(
    client: KubeClient, namespace: str, stores: list[OrderStore], trusted: list[SecretKeyReference]
) -> dict[SecretKeyReference, bytes]:
    """Every Secret key that the stores and signatures need, as far as it is there: who needs one that is not says so."""
    order = WorkOrder(
        kind="Catalogue", namespace=namespace, run_uid="-", stores=stores,
        catalogue=CatalogueOrder(trusted_keys=trusted), deadline_seconds=1,
    )  # fmt: skip
    found = {}
    for reference in order.secrets():
        body = await client.get(SECRETS, namespace, reference.name)
        encoded = None if body is None else (body.get("data") or {}).get(reference.key)
        if encoded is not None:
            found[reference] = base64.b64decode(encoded)
    return found


def offline_copies(store_path: Path | None, store_file: Path | None) -> Copies | None:
    """The one store that the user names, without any API; None if none is named."""
    if store_path is not None and store_file is not None:
        raise click.UsageError("give either --store-path or --store-file")
    if store_path is not None:
        spec = BackupStoreSpec(local=LocalStore(path=str(store_path.resolve())))
        return Copies([OrderStore(name=OFFLINE_NAME, spec=spec)])
    if store_file is None:
        return None
    store = _parse_file(store_file)
    return Copies([OrderStore(name=store.meta.name, spec=store.spec)])


def _parse_file(path: Path) -> BackupStore:
    try:
        documents = list(yaml.safe_load_all(path.read_text()))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise click.ClickException(f"{path}: {error}") from error
    found = [each for each in documents if isinstance(each, dict) and each.get("kind") == "BackupStore"]
    if len(found) != 1:
        raise click.ClickException(f"{path}: holds {len(found)} BackupStores and must hold one")
    try:
        return parse_store(found[0])
    except (StrongroomError, KeyError, ValueError) as error:
        raise click.ClickException(f"{path}: {error}") from error


@contextmanager
def opened(copies: Copies, secrets: Path | None, trust_file: Path | None) -> Iterator[Reading]:
    """The stores, not yet touched. Secrets lie in a folder of this user's alone until the end."""
    with tempfile.TemporaryDirectory(prefix="strongroom-") as name:
        scratch = Path(name)
        folder = scratch / "secrets"
        folder.mkdir(mode=0o700)
        for reference, content in copies.secrets.items():
            _write(folder / reference.name / reference.key, content)
        trusted = list(copies.trusted)
        if trust_file is not None:
            reference = SecretKeyReference(name="trust", key="keys.pem")
            _write(folder / reference.name / reference.key, trust_file.read_bytes())
            trusted.append(reference)
        files = SecretFiles(secrets if secrets is not None else folder)
        try:
            trust = gather_trust(trusted, SecretFiles(folder).read)
            stores = {store.name: open_store(store.name, store.spec, files) for store in copies.stores}
            yield Reading(stores, trust, scratch)
        except StrongroomError as error:
            raise click.ClickException(f"{error}. {error.reason.hint}") from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
