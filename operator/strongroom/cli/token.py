"""`strongroom token HOST`: a further host's account, its rights, and the one command that joins it."""

import asyncio
import ipaddress
import re
import shlex
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import click

from strongroom.api.fields import DNS_LABEL, parse_duration
from strongroom.api.hostaccounts import JoinToken, account_name, format_join_token
from strongroom.cli.cluster import ask, cluster_options
from strongroom.cli.hostrights import Object, build_account, build_binding, build_role
from strongroom.kube.accounts import TokenWish, request_token
from strongroom.kube.client import KubeClient
from strongroom.kube.kinds import ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, ApiKind

SHORTEST = timedelta(minutes=10)
"""A cluster's own bound for TokenRequests."""
AGENT_STATE = "/var/lib/strongroom/agent"


@dataclass(frozen=True)
class Invitation:
    """Whom to let in, and how they reach us."""

    host: str
    namespace: str
    served: tuple[str, ...]
    lifetime: timedelta
    server: str | None
    """URL; None: as this machine reaches it."""


@dataclass(frozen=True)
class _Answer:
    server: str
    token: str


def _host_name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(DNS_LABEL, value) or len(value) > 63:
        raise click.BadParameter(
            f"{value!r} is no name of a DockerHost: lower-case letters, digits and dashes"
        )
    return value


def _lifetime(_context: click.Context, _parameter: click.Parameter, value: str) -> timedelta:
    try:
        lifetime = parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if lifetime < SHORTEST:
        raise click.BadParameter("at least 10m")
    return lifetime


def _https(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.startswith("https://"):
        raise click.BadParameter(f"{value!r} is no URL such as https://vault.example:16443")
    return value


@click.command
@click.argument("host", callback=_host_name)
@cluster_options
@click.option(
    "--serve-namespace",
    "served",
    multiple=True,
    help="Let the host also run Jobs, and read Secrets, of this namespace; may be repeated.",
)
@click.option(
    "--expires",
    "lifetime",
    default="1h",
    show_default=True,
    callback=_lifetime,
    help="How long the token can be joined with. The host's credential, once it has joined, renews itself.",
)
@click.option(
    "--server",
    metavar="URL",
    callback=_https,
    help="How the host reaches the API. Default: as in the kubeconfig.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["command", "token"]),
    default="command",
    show_default=True,
    help="The command for the host, or the token alone (for --token-file).",
)
def token(kubeconfig: Path | None, output: str, **options: object) -> None:
    """Let a further Docker host join: makes its account and rights, prints the command to run there.

    Whoever has the token until it ends can be that host: hand it over as you would a password. To revoke a host:
    kubectl delete serviceaccount strongroom-agent-HOST.

    \b
    Examples:
      strongroom token web-2
      strongroom token web-2 --server https://vault.example:16443 --expires 10m
      strongroom token web-2 -o token | ssh web-2 'strongroom agent --join https://vault.example:16443 --token-file - …'
    """
    invitation = Invitation(**options)  # type: ignore[arg-type]  # click checked them
    answer = ask(kubeconfig, lambda client: _invite(client, invitation))
    if output == "token":
        click.echo(answer.token)
        return
    if _is_loopback(answer.server):
        click.echo(
            f"Note: {answer.server} is reached from this machine alone. For other machines start `strongroom up` with "
            "--bind ADDRESS (and --advertise NAME), or give --server URL.",
            err=True,
        )
    click.echo(shlex.join(_command(invitation, answer)))


async def _invite(client: KubeClient, invitation: Invitation) -> _Answer:
    """Ensure the account and its rights, then ask for its token."""
    host, home = invitation.host, invitation.namespace
    await client.ensure(SERVICE_ACCOUNTS, home, build_account(host))
    for namespace in dict.fromkeys((home, *invitation.served)):
        await _ensure_same(client, ROLES, namespace, build_role(host, home=namespace == home))
        await _ensure_same(client, ROLE_BINDINGS, namespace, build_binding(host, home))
    wish = TokenWish(home, account_name(host), int(invitation.lifetime.total_seconds()))
    bearer = await request_token(client, wish)
    configuration = client.configuration
    server = (invitation.server or configuration.host).rstrip("/")
    join_token = await asyncio.to_thread(_build_token, configuration.host, configuration.ssl_ca_cert, bearer)
    return _Answer(server, format_join_token(join_token))


async def _ensure_same(client: KubeClient, kind: ApiKind, namespace: str, body: Object) -> None:
    """Make it, or bring an older one to the present form."""
    found = await client.ensure(kind, namespace, body)
    if any(found.get(name) != value for name, value in body.items() if name != "metadata"):
        await client.patch(kind, namespace, body["metadata"]["name"], body)


def _build_token(server: str, authorities: str | None, bearer: str) -> JoinToken:
    """With the CA that this machine itself trusts: by its pin where the server (URL) shows it, else whole."""
    from strongroom.kube.authorities import der_of, find_trusted, is_shown, pin_of

    if authorities is None:
        return JoinToken(None, bearer)
    certificate = find_trusted(server, Path(authorities).read_bytes())
    pin = pin_of(certificate)
    return JoinToken(pin, bearer) if is_shown(server, pin) else JoinToken(None, bearer, der_of(certificate))


def _command(invitation: Invitation, answer: _Answer) -> list[str]:
    words = ["strongroom", "agent", "--join", answer.server, "--token", answer.token]
    words += ["--host-name", invitation.host]
    if invitation.namespace != "default":
        words += ["--namespace", invitation.namespace]
    for namespace in invitation.served:
        words += ["--serve-namespace", namespace]
    return [*words, "--state", AGENT_STATE]


def _is_loopback(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
