"""`strongroom status`: am I safe? One screen, and an exit code for scripts."""

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from strongroom.api.errors import StrongroomError
from strongroom.api.resources import (
    BackupPolicy,
    BackupStore,
    DockerHost,
    parse_host,
    parse_policy,
    parse_store,
)
from strongroom.cli.cluster import ask, cluster_options
from strongroom.cli.screens import open_console
from strongroom.cli.statusscreen import print_list, print_places, print_policies
from strongroom.cli.worries import (
    called,
    find_condition_worries,
    find_copy_notes,
    find_drill_notes,
    find_host_notes,
    find_last_failure,
    find_policy_notes,
    find_policy_worries,
    find_store_notes,
    find_untrusted_notes,
)
from strongroom.kube.client import KubeClient
from strongroom.kube.kinds import HOSTS, POLICIES, STORES


@dataclass(frozen=True)
class Findings:
    """What there is, every reason not to be at ease, and what is worth a look although all is safe now."""

    policies: list[BackupPolicy]
    stores: list[BackupStore]
    hosts: list[DockerHost]
    worries: list[str]
    notes: list[str]


@click.command
@cluster_options
@click.option("-A", "--all-namespaces", is_flag=True, help="Look into all namespaces.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the answer.",
)
def status(kubeconfig: Path | None, namespace: str, all_namespaces: bool, output: str) -> None:
    """Am I safe? Exit code 0 only if every policy is ready, fresh and nothing it needs is broken.

    A policy without a schedule need not be fresh. Copies that lack, what is missing for 3-2-1 (three copies, on two kinds
    of media, one offsite) and a database found in a container that no policy dumps are worth a look and no cause for
    another exit code: the backup is there, and a policy may reach the database over the network.

    \b
    Examples:
      strongroom status
      strongroom status -o json | jq .safe
    """
    now = datetime.now(UTC)
    findings = ask(kubeconfig, lambda client: _find(client, None if all_namespaces else namespace, now))
    if output == "json":
        click.echo(json.dumps(_as_json(findings), indent=2))
    else:
        _print(findings, now, "all namespaces" if all_namespaces else f"namespace {namespace}")
    sys.exit(1 if findings.worries else 0)


async def _find(client: KubeClient, namespace: str | None, now: datetime) -> Findings:
    worries: list[str] = []
    notes: list[str] = []
    policies = _parsed(await client.list(POLICIES, namespace), parse_policy, worries)
    stores = _parsed(await client.list(STORES, namespace), parse_store, worries)
    hosts = _parsed(await client.list(HOSTS, namespace), parse_host, worries)
    if not policies and not worries:
        worries.append("No BackupPolicy: nothing is backed up. Apply one (kubectl apply -f policy.yaml).")
    for policy in policies:
        found, failure = find_policy_worries(policy, now), find_last_failure(policy)
        if failure is not None:
            (found or notes).append(failure)
        elif not found:
            notes += find_policy_notes(policy)
        notes += [*find_copy_notes(policy), *find_drill_notes(policy), *find_untrusted_notes(policy)]
        worries += found
    notes += find_store_notes(stores)
    for store in stores:
        worries += find_condition_worries(
            f"BackupStore {called(store.meta)}", store.status.conditions, ("Ready",)
        )
    for host in hosts:
        worries += find_condition_worries(
            f"DockerHost {called(host.meta)}", host.status.conditions, ("Ready",)
        )
        notes += find_host_notes(host)
    return Findings(policies, stores, hosts, worries, notes)


def _parsed(listing: Any, parse: Any, worries: list[str]) -> list[Any]:
    parsed = []
    for body in listing.items:
        try:
            parsed.append(parse(body))
        except StrongroomError as error:
            worries.append(str(error))
    return parsed


def _print(findings: Findings, now: datetime, where: str) -> None:
    console = open_console()
    print_policies(console, findings.policies, now)
    print_places(console, findings.stores, findings.hosts, now)
    print_list(console, "Worth a look:", "bold yellow", findings.notes)
    if findings.notes:
        console.print()
    print_list(console, "Not safe:", "bold red", findings.worries)
    if not findings.worries:
        console.print(f"Safe: every policy of {where} is ready and fresh.", style="bold green")


def _as_json(findings: Findings) -> dict[str, Any]:
    return {
        "safe": not findings.worries,
        "worries": findings.worries,
        "notes": findings.notes,
        "policies": [
            {"namespace": p.meta.namespace, "name": p.meta.name, "status": p.status.to_api()}
            for p in findings.policies
        ],
        "uncovered": {f"{h.meta.namespace}/{h.meta.name}": h.status.uncovered for h in findings.hosts},
    }
