"""`strongroom doctor`: what is missing on this host, and how to get it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

_COLOURS = {"ok": "green", "note": "yellow", "missing": "red"}
_LEAST_FREE_BYTES = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing looked at: fine, worth knowing, or missing with the way to get it."""

    state: Literal["ok", "note", "missing"]
    what: str
    way_out: str = ""


@click.command
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default="/var/lib/strongroom",
    show_default=True,
    help="State folder of `strongroom up`.",
)
@click.option(
    "--kubeconfig", type=click.Path(dir_okay=False, path_type=Path), help="Also see whether this API answers."
)
@click.option(
    "--store",
    "stores",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Also look at this store folder; may be repeated.",
)
def doctor(state: Path, kubeconfig: Path | None, stores: tuple[Path, ...]) -> None:
    """Look at this host: what is missing for backups, and how to get it. Exit code 1 if something is.

    \b
    Examples:
      strongroom doctor
      strongroom doctor --store /var/backups/strongroom --kubeconfig /var/lib/strongroom/kubeconfig
    """
    missing = False
    for finding in _look(state, kubeconfig, stores):
        click.echo(click.style(f"{finding.state:<8}", fg=_COLOURS[finding.state]) + finding.what)
        if finding.way_out:
            click.echo(f"        -> {finding.way_out}")
        missing = missing or finding.state == "missing"
    sys.exit(1 if missing else 0)


def _look(state: Path, kubeconfig: Path | None, stores: tuple[Path, ...]) -> Iterator[Finding]:
    yield _python()
    yield from _postgres_clients()
    yield _program("kubectl", "note", "install kubectl 1.29 or newer: policies are applied with it")
    yield _program("zstd", "note", "apt-get install zstd: opens artifacts without Strongroom")
    yield _program("gpg", "note", "apt-get install gpg gpg-agent: policies with encryption.gpg need it")
    yield _program("openssl", "note", "apt-get install openssl: policies with encryption.openssl need it")
    yield _program(
        "age",
        "note",
        "apt-get install age: opens artifacts of policies with encryption.age without Strongroom",
    )
    yield _program(
        "ssh", "note", "apt-get install openssh-client: stores of the kinds sftp and rsync need it"
    )
    yield _program("rsync", "note", "apt-get install rsync: stores of the kind rsync need it")
    yield _docker()
    yield _folder(state, "state folder", "chosen by `strongroom up --state`", may_be_made=True)
    for store in stores:
        yield _folder(store, "store", f"mkdir -p {store}, or mount the disk", may_be_made=False)
    if kubeconfig is not None or os.environ.get("KUBECONFIG"):
        yield _api(kubeconfig)


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("ok", f"Python {version}")


def _postgres_clients() -> Iterator[Finding]:
    from strongroom.sources.postgres.clients import find_clients

    clients = find_clients()
    for client in clients:
        yield Finding("ok", f"PostgreSQL client {client.version} in {client.folder}")
    if not clients:
        yield Finding(
            "missing",
            "no complete PostgreSQL client (pg_dump, pg_restore, pg_dumpall)",
            "apt-get install postgresql-client-N, with N the server's major version",
        )


def _program(name: str, otherwise: Literal["note", "missing"], way_out: str) -> Finding:
    found = shutil.which(name)
    return (
        Finding("ok", f"{name} in {found}")
        if found
        else Finding(otherwise, f"no {name} on the PATH", way_out)
    )


def _docker() -> Finding:
    if shutil.which("docker") is None:
        return Finding(
            "note",
            "no docker: only servers reached over the network can be backed up",
            "install the Docker Engine if this is a Docker host",
        )
    try:
        done = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding("note", "the Docker Engine does not answer within 10 s", "look at the Engine's log")
    if done.returncode != 0:
        return Finding(
            "note", "the Docker Engine does not answer", "start it, or let this user reach its socket"
        )
    return Finding("ok", f"Docker Engine {done.stdout.strip()}")


def _folder(path: Path, what: str, way_out: str, *, may_be_made: bool) -> Finding:
    if path.exists() and not path.is_dir():
        return Finding("missing", f"{what} {path} is a file", "choose a folder")
    if not path.exists() and not may_be_made:
        return Finding("missing", f"{what} {path} does not exist", way_out)
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        return Finding(
            "missing",
            f"{what} {path} is not writable for this user",
            f"chown it, or run as another user ({way_out})",
        )
    free = shutil.disk_usage(nearest).free
    state: Literal["ok", "note"] = "ok" if free >= _LEAST_FREE_BYTES else "note"
    return Finding(state, f"{what} {path}: {free / (1 << 30):.1f} GiB free")


def _api(kubeconfig: Path | None) -> Finding:
    from strongroom.cli.cluster import ask
    from strongroom.kube.kinds import POLICIES

    try:
        listing = ask(kubeconfig, lambda client: client.list(POLICIES, None))
    except click.ClickException as error:
        return Finding(
            "missing",
            f"the API does not answer: {error.message}",
            "start `strongroom up`, or correct --kubeconfig",
        )
    return Finding("ok", f"the API answers; {len(listing.items)} BackupPolicies")
