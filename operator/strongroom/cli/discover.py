"""`strongroom discover`: ready policies for the stacks that run on this host."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import yaml

from strongroom.api.errors import StrongroomError
from strongroom.cli.proposals import Proposal, Proposals, Wishes, propose

_UNDECIDED = "allowUnencrypted: false"


@click.command
@click.option(
    "--engine", help="Docker Engine to look at (unix:///…). Default: $DOCKER_HOST, else the system's."
)
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace of the resources.")
@click.option("--host", default="local", show_default=True, help="DockerHost whose agent carries them out.")
@click.option("--store", default="disk", show_default=True, help="Name of the BackupStore.")
@click.option(
    "--store-path", default="/var/backups/strongroom", show_default=True, help="Its folder on that host."
)
@click.option("--time-zone", help="Time zone of the schedules. Default: this machine's.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="Form of the answer.",
)
def discover(engine: str | None, time_zone: str | None, output: str, **wishes: str) -> None:
    """Look at the Docker Engine of this host and print policies for what runs there. Nothing is changed.

    For each compose project: its PostgreSQL servers every night, kept 7 days; its named volumes every Sunday, kept
    30 days; its configuration on demand. What is left out, and why, is said at the end.

    \b
    Examples:
      strongroom discover > policies.yaml
      strongroom discover --host web1 --store-path /backups | kubectl apply --dry-run=server -f -
    """
    from strongroom.engine.connecting import connect_engine
    from strongroom.engine.stacks import read_stacks

    try:
        stacks = read_stacks(connect_engine(engine))
    except StrongroomError as error:
        raise click.ClickException(f"{error}. {error.reason.hint}") from error
    proposals = propose(stacks, Wishes(**wishes, time_zone=time_zone or find_time_zone()))
    click.echo(render_json(proposals) if output == "json" else render_yaml(proposals), nl=False)
    if output == "json":
        for line in proposals.left_out:
            click.echo(f"left out: {line}", err=True)


def render_yaml(proposals: Proposals) -> str:
    """The resources as documents that `kubectl apply` takes, with comments."""
    head = "# Proposed by `strongroom discover`: read it, change it, then kubectl apply -f it.\n"
    documents = "---\n".join(_document(each) for each in proposals.resources)
    return head + documents + "".join(_left_out(proposals))


def _document(proposal: Proposal) -> str:
    text = yaml.safe_dump(proposal.body, sort_keys=False, allow_unicode=True, width=1000)
    text = text.replace(_UNDECIDED, f"{_UNDECIDED}  # decide: true stores secrets in the clear")
    return "".join(f"# {comment}\n" for comment in proposal.comments) + text


def _left_out(proposals: Proposals) -> Iterator[str]:
    if proposals.left_out:
        yield "# Left out:\n"
    for line in proposals.left_out:
        yield f"# * {' '.join(line.split())}\n"


def render_json(proposals: Proposals) -> str:
    """The same as one List."""
    items = [each.body for each in proposals.resources]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2) + "\n"


def find_time_zone(localtime: Path = Path("/etc/localtime")) -> str:
    """The IANA name of this machine's time zone, by where /etc/localtime points to; UTC where that does not tell."""
    _, found, name = str(localtime.resolve()).partition("/zoneinfo/")
    return name if found else "UTC"
