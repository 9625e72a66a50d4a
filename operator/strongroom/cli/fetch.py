"""`strongroom artifacts fetch`: the files of a recovery point, brought here from the first good copy."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from strongroom.api.errors import StrongroomError
from strongroom.api.manifest import ManifestFile
from strongroom.cli.cluster import ask, cluster_options
from strongroom.cli.openings import opening_command
from strongroom.cli.points import search_point
from strongroom.cli.quantities import human_bytes
from strongroom.cli.stored import Copies, Reading, ask_copies, offline_copies, opened
from strongroom.pipeline.encryption.opening import build_opener
from strongroom.pipeline.sinks import Chunk
from strongroom.stores.store import Store
from strongroom.worker.fetching import fetch_file, open_file
from strongroom.worker.points import StoredPoint, check_point, read_point

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


def store_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what names a store without a control plane."""
    return _with(
        command,
        click.option(
            "--store-path", type=_FOLDER, help="Ask this folder directly, without the control plane."
        ),
        click.option("--store-file", type=_FILE, help="Ask the store of this BackupStore (YAML) directly."),
        click.option(
            "--secrets", type=_FOLDER, help="With --store-file: its Secrets as files, DIR/SECRET/KEY."
        ),
    )


def key_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add which keys are at hand."""
    return _with(
        command,
        click.option(
            "--trust", type=_FILE, help="Public keys (PEM): the manifest must be signed by one of them."
        ),
        click.option(
            "--decrypt-with", type=_FILE, help="File with the private key, or with openssl's passphrase."
        ),
    )


def _with(command: Callable[..., Any], *options: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command


def find_copies(run: str, kubeconfig: Path | None, namespace: str, options: dict[str, Any]) -> Copies:
    """Where RUN is, by the options of both commands. Who names keys wants signatures by them."""
    copies = offline_copies(options["store_path"], options["store_file"])
    if copies is None:
        copies = ask(kubeconfig, lambda client: ask_copies(client, namespace, run, options["stores"]))
    if options["trust"] is None:
        return copies
    return replace(copies, demand=replace(copies.demand, must_be_signed=True))


@click.command("fetch")
@click.argument("run")
@cluster_options
@click.option("--source", "sources", multiple=True, help="Only files of this source. May be given again.")
@click.option("--store", "stores", multiple=True, help="Only from this BackupStore. May be given again.")
@click.option("--to", type=_FOLDER, help="Folder to put them in; made if missing. Default: ./RUN")
@click.option("--plain", is_flag=True, help="Decrypt and decompress, after all of a file was verified.")
@store_options
@key_options
def fetch(run: str, kubeconfig: Path | None, namespace: str, **options: Any) -> None:
    """Fetch the files of RUN to this machine.

    The stores are opened from here, with the Secrets of their BackupStores. Each file gets its name once its length and
    SHA-256, and the signature of its manifest where keys are known, were found right; else the next copy is tried.

    \b
    Examples:
      strongroom artifacts fetch shop-20261122t0200z-1a2b3c4d
      strongroom artifacts fetch RUN --source database --plain --decrypt-with key.txt --to /srv/restore
      strongroom artifacts fetch RUN --store-path /mnt/disk           # without any control plane
      strongroom artifacts fetch RUN --store-file bucket.yaml --secrets ./secrets
    """
    copies = find_copies(run, kubeconfig, namespace, options)
    with opened(copies, options["secrets"], options["trust"]) as reading:
        failures = []
        for name, store in reading.stores.items():
            try:
                _fetch(run, store, copies, reading, options)
            except StrongroomError as error:
                failures.append(f"store {name}: {error.reason.name}: {error}")
                click.echo(failures[-1], err=True)
            else:
                return
    raise click.ClickException(f"no copy of {run} could be fetched whole")


def _fetch(run: str, store: Store, copies: Copies, reading: Reading, options: dict[str, Any]) -> None:
    point = read_point(store, copies.prefix or search_point(store, run), reading.trust)
    check_point(point, copies.demand)
    tell_signature(point)
    folder = options["to"] or Path(run.rpartition("/")[2])
    key = options["decrypt_with"].read_bytes() if options["decrypt_with"] is not None else None
    applied = point.manifest.encryption
    cipher = None if applied is None else build_opener(applied, key, "--decrypt-with", reading.scratch)
    if options["plain"] and applied is not None and key is None:
        raise click.ClickException(
            f"{run} is encrypted with {applied.kind}: give --decrypt-with, or leave --plain out"
        )
    files = choose_files(point, options["sources"])
    with _bars() as bars:
        for file in files:
            artifact = file.artifact
            bar = _Bar(bars, artifact.file, artifact.stored_bytes)
            path = fetch_file(store, point, file, folder, cipher, bar)
            if options["plain"]:
                fetched, path = path, open_file(point, file, path, cipher)
                if fetched != path:
                    fetched.unlink()
            bar.finish()
            click.echo(f"{path}  {human_bytes(path.stat().st_size)}, verified")
            if not options["plain"]:
                click.echo(f"  {opening_command(artifact, path)}")


def tell_signature(point: StoredPoint) -> None:
    """What was not checked, for those who might think that it was."""
    if point.verdict.signature == "Untrusted":
        click.echo(f"note: {point.verdict.words}; give its public key with --trust to check it", err=True)


def choose_files(point: StoredPoint, sources: tuple[str, ...]) -> list[ManifestFile]:
    """The files of these sources, or all. ClickException for a source that has none."""
    there = {file.artifact.source for file in point.manifest.files}
    unknown = [source for source in sources if source not in there]
    if unknown:
        raise click.ClickException(
            f"no source {', '.join(unknown)} in it; there are: {', '.join(sorted(there))}"
        )
    return [file for file in point.manifest.files if not sources or file.artifact.source in sources]


def _bars() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


class _Bar:
    """A sink that shows how much has come."""

    def __init__(self, bars: Progress, name: str, size_bytes: int) -> None:
        self._bars = bars
        self._task = bars.add_task(name, total=size_bytes)

    def write(self, chunk: Chunk) -> None:
        self._bars.advance(self._task, len(chunk))

    def finish(self) -> None:
        self._bars.remove_task(self._task)
