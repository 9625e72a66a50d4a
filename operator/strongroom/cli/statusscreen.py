"""The one screen of `strongroom status`: policies, stores and hosts as tables, then what is not as it should be."""

from datetime import datetime

from rich.console import Console
from rich.text import Text

from strongroom.api.conditions import (
    COPIES_SATISFIED,
    DATABASES_COVERED,
    FRESH,
    READY,
    Condition,
    find_condition,
)
from strongroom.api.resources import BackupPolicy, BackupStore, DockerHost
from strongroom.cli.quantities import ago, human_bytes
from strongroom.cli.screens import build_table
from strongroom.cli.worries import called, is_on_demand


def print_policies(console: Console, policies: list[BackupPolicy], now: datetime) -> None:
    """One line a policy."""
    if not policies:
        return
    table = build_table(
        "Policy", "Ready", "Fresh", "3-2-1", "Last verified", "Size", "Points", "Kept", "Next"
    )
    for policy in policies:
        state = policy.status
        last = state.last_success
        table.add_row(
            called(policy.meta), _mark(state.conditions, READY),
            Text("-") if is_on_demand(policy) else _mark(state.conditions, FRESH),
            _copies(policy),
            ago(last.time if last else None, now), human_bytes(last.size_bytes if last else None),
            "-" if state.artifact_count is None else str(state.artifact_count), human_bytes(state.total_bytes), _next(policy, now),
        )  # fmt: skip
    console.print(table, "")


def _copies(policy: BackupPolicy) -> Text:
    """Whether 3-2-1 is satisfied, and how many copies lack; neither makes a backup less of one."""
    condition = find_condition(policy.status.conditions, COPIES_SATISFIED)
    if condition is None:
        return Text("?", style="yellow")
    lacking = sum(held.lacking for held in policy.status.copies)
    word = "yes" if condition.status == "True" else "no"
    told = f"{word}, {lacking} lacking" if lacking else word
    return Text(told, style="green" if told == "yes" else "yellow")


def _next(policy: BackupPolicy, now: datetime) -> str:
    if policy.spec.suspend:
        return "suspended"
    if policy.spec.schedule is None:
        return "on demand"
    moment = policy.status.next_schedule_time
    return ago(moment, now) if moment else "-"


def print_places(console: Console, stores: list[BackupStore], hosts: list[DockerHost], now: datetime) -> None:
    """One line a store, one line a host."""
    if not stores and not hosts:
        return
    table = build_table("Store or host", "Ready", "Covered", "Holds", "Free", "Contact")
    for store in stores:
        state = store.status
        table.add_row(
            f"store {called(store.meta)}", _mark(state.conditions, READY), "", human_bytes(state.total_bytes),
            human_bytes(state.free_bytes), ago(state.last_contact_time, now),
        )  # fmt: skip
    for host in hosts:
        conditions = host.status.conditions
        table.add_row(
            f"host {called(host.meta)}", _mark(conditions, READY), _covered(host), "", "",
            ago(host.status.last_heartbeat_time, now),
        )  # fmt: skip
    console.print(table, "")


def _covered(host: DockerHost) -> Text:
    """Databases found and covered, such as `2 of 3`."""
    condition = find_condition(host.status.conditions, DATABASES_COVERED)
    if condition is None or condition.status == "Unknown":
        return Text("-")
    found, lacking = len(host.status.databases), len(host.status.uncovered)
    return Text(f"{found - lacking} of {found}", style="yellow" if lacking else "green")


def print_list(console: Console, heading: str, style: str, lines: list[str]) -> None:
    """A heading and its lines; nothing without lines."""
    if lines:
        console.print(heading, style=style)
    for line in lines:
        console.print(Text(f"  * {line}"), soft_wrap=True)


def _mark(conditions: list[Condition], type_: str) -> Text:
    condition = find_condition(conditions, type_)
    if condition is None:
        return Text("?", style="yellow")
    return (
        Text("yes", style="green")
        if condition.status == "True"
        else Text("NO" if condition.status == "False" else "?", style="bold red")
    )
