"""`strongroom artifacts verify`: every stored byte of every copy, read back and compared."""

import sys
from pathlib import Path
from typing import Any

import click

from strongroom.api.errors import StrongroomError
from strongroom.cli.cluster import cluster_options
from strongroom.cli.fetch import find_copies, key_options, store_options, tell_signature
from strongroom.cli.points import search_point
from strongroom.cli.stored import Copies, Reading, opened
from strongroom.pipeline.encryption.opening import build_opener
from strongroom.stores.store import Store
from strongroom.worker.fileproofs import prove_file
from strongroom.worker.points import StoredPoint, check_point, read_point


@click.command("verify")
@click.argument("run")
@cluster_options
@click.option(
    "--store", "stores", multiple=True, help="Only the copy in this BackupStore. May be given again."
)
@store_options
@key_options
def verify(run: str, kubeconfig: Path | None, namespace: str, **options: Any) -> None:
    """Read every byte of RUN's copies back, and compare.

    Of each copy the manifest is checked (its signature where keys are known) and every file read whole: length, SHA-256
    and, unless it is encrypted and no key is given, the decrypted and decompressed bytes, too. Nothing is written.

    \b
    Examples:
      strongroom artifacts verify shop-20261122t0200z-1a2b3c4d
      strongroom artifacts verify RUN --store bucket --decrypt-with key.txt
      strongroom artifacts verify RUN --store-path /mnt/disk --trust public.pem

    \b
    Exit code: 0 if all copies are good, 1 if any is not.
    """
    copies = find_copies(run, kubeconfig, namespace, options)
    good = 0
    with opened(copies, options["secrets"], options["trust"]) as reading:
        for name, store in reading.stores.items():
            good += _verify(run, name, store, copies, reading, options["decrypt_with"])
        total = len(reading.stores)
    click.echo(f"{good} of {total} {'copy is' if total == 1 else 'copies are'} good")
    sys.exit(0 if good == total else 1)


def _verify(
    run: str, name: str, store: Store, copies: Copies, reading: Reading, key_file: Path | None
) -> bool:
    try:
        point = read_point(store, copies.prefix or search_point(store, run), reading.trust)
        check_point(point, copies.demand)
        tell_signature(point)
        extent = _prove(store, point, reading.scratch, key_file)
    except StrongroomError as error:
        known = f" (the run says: {copies.troubles[name]})" if name in copies.troubles else ""
        click.echo(f"{name}: BAD: {error.reason.name}: {error}{known}")
        return False
    signed = (
        f", signature {point.verdict.signature}" if point.manifest.signed_by is not None else ", not signed"
    )
    click.echo(f"{name}: good: {len(point.manifest.files)} files, {extent}{signed}")
    return True


def _prove(store: Store, point: StoredPoint, scratch: Path, key_file: Path | None) -> str:
    """Prove every file; how far that went, in words."""
    applied = point.manifest.encryption
    key = None if key_file is None else key_file.read_bytes()
    cipher = None if applied is None else build_opener(applied, key, "--decrypt-with", scratch)
    for file in point.manifest.files:
        prove_file(store, point.key(file), point.manifest, file, cipher)
    sealed = cipher is not None and not cipher.opens
    return (
        "stored bytes compared (encrypted: give --decrypt-with to compare the plain ones)"
        if sealed
        else "stored and plain bytes compared"
    )
