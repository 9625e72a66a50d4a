"""`strongroom status`: am I safe? One screen, and an exit code for scripts."""

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from strongroom.api.conditions import Condition, find_condition
from strongroom.api.errors import StrongroomError
from strongroom.api.fields import format_time
from strongroom.api.resources import (
    BackupPolicy,
    BackupStore,
    DockerHost,
    ObjectMeta,
    parse_host,
    parse_policy,
    parse_store,
)
from strongroom.cli.cluster import ask, cluster_options
from strongroom.cli.quantities import ago, human_bytes
from strongroom.kube.client import KubeClient
from strongroom.kube.kinds import HOSTS, POLICIES, STORES

_OPERATOR_DELAY = timedelta(minutes=5)
"""An operator that acts is never so late; one that is dead leaves every condition as it was."""


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
        _print(findings, now)
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
        worries += found
    for store in stores:
        worries += _worries_of(f"BackupStore {_called(store.meta)}", store.status.conditions, ("Ready",))
    for host in hosts:
        worries += _worries_of(f"DockerHost {_called(host.meta)}", host.status.conditions, ("Ready",))
    return Findings(policies, stores, hosts, worries, notes)


def find_policy_worries(policy: BackupPolicy, now: datetime) -> list[str]:
    """All that stands against a policy: its own word, and whether anybody has kept that word true since."""
    name, status = f"BackupPolicy {_called(policy.meta)}", policy.status
    worries = _worries_of(name, status.conditions, ("Ready", "Fresh"))
    if policy.spec.suspend:
        worries.append(f"{name} is suspended: set spec.suspend to false to resume.")
    if worries:
        return worries
    if status.observed_generation != policy.meta.generation:
        return [f"{name} was changed and not looked at since; is the operator running?"]
    if status.fresh_until is not None and status.fresh_until < now - _OPERATOR_DELAY:
        return [f"{name} was fresh until {format_time(status.fresh_until)}; is the operator running?"]
    if status.next_schedule_time is not None and status.next_schedule_time < now - _OPERATOR_DELAY:
        due = format_time(status.next_schedule_time)
        return [f"{name} was due at {due} and no run was made; is the operator running?"]
    return []


def find_last_failure(policy: BackupPolicy) -> str | None:
    """Why the newest run is no backup; None when it is one, or when the policy has a greater fault than that."""
    status = policy.status
    ready = find_condition(status.conditions, "Ready")
    if status.last_run_phase in (None, "Succeeded") or ready is None or ready.status != "True":
        return None
    return f"BackupPolicy {_called(policy.meta)}: {status.message or f'run {status.last_run} ended {status.last_run_phase}'}"


def _called(meta: ObjectMeta) -> str:
    """The name, with a namespace that need not be guessed."""
    return meta.name if meta.namespace == "default" else f"{meta.namespace}/{meta.name}"


def _parsed(listing: Any, parse: Any, worries: list[str]) -> list[Any]:
    parsed = []
    for body in listing.items:
        try:
            parsed.append(parse(body))
        except StrongroomError as error:
            worries.append(str(error))
    return parsed


def _worries_of(name: str, conditions: list[Condition], expected: tuple[str, ...]) -> list[str]:
    worries = []
    for type_ in expected:
        condition = find_condition(conditions, type_)
        if condition is None:
            worries.append(f"{name}: {type_} is not known yet; is the operator running?")
        elif condition.status != "True":
            worries.append(f"{name} is not {type_} ({condition.reason}): {condition.message}")
    return worries


def _mark(conditions: list[Condition], type_: str) -> Text:
    condition = find_condition(conditions, type_)
    if condition is None:
        return Text("?", style="yellow")
    return (
        Text("yes", style="green")
        if condition.status == "True"
        else Text("NO" if condition.status == "False" else "?", style="bold red")
    )


def _print(findings: Findings, now: datetime) -> None:
    console = Console()
    if findings.policies:
        table = Table(
            "Policy",
            "Ready",
            "Fresh",
            "Last verified",
            "Size",
            "Points",
            "Kept",
            "Next",
            box=None,
            pad_edge=False,
        )
        for policy in findings.policies:
            state = policy.status
            last = state.last_success
            table.add_row(
                _called(policy.meta), _mark(state.conditions, "Ready"), _mark(state.conditions, "Fresh"),
                ago(last.time if last else None, now), human_bytes(last.size_bytes if last else None),
                "-" if state.artifact_count is None else str(state.artifact_count), human_bytes(state.total_bytes),
                "suspended" if policy.spec.suspend else ago(state.next_schedule_time, now) if state.next_schedule_time else "-",
            )  # fmt: skip
        console.print(table, "")
    if findings.stores or findings.hosts:
        table = Table("Store or host", "Ready", "Holds", "Free", "Contact", box=None, pad_edge=False)
        for store in findings.stores:
            table.add_row(
                f"store {_called(store.meta)}", _mark(store.status.conditions, "Ready"), human_bytes(store.status.total_bytes),
                human_bytes(store.status.free_bytes), ago(store.status.last_contact_time, now),
            )  # fmt: skip
        for host in findings.hosts:
            table.add_row(
                f"host {_called(host.meta)}",
                _mark(host.status.conditions, "Ready"),
                "",
                "",
                ago(host.status.last_heartbeat_time, now),
            )
        console.print(table, "")
    if findings.notes:
        console.print("Worth a look:", style="bold yellow")
        _print_list(console, findings.notes)
    if not findings.worries:
        console.print("Safe: every policy is ready and fresh.", style="bold green")
        return
    console.print("Not safe:", style="bold red")
    _print_list(console, findings.worries)


def _print_list(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(Text(f"  * {line}"), soft_wrap=True)


def _as_json(findings: Findings) -> dict[str, Any]:
    return {
        "safe": not findings.worries,
        "worries": findings.worries,
        "notes": findings.notes,
        "policies": [
            {"namespace": p.meta.namespace, "name": p.meta.name, "status": p.status.to_api()}
            for p in findings.policies
        ],
    }
