"""Joining a control plane: a short join token becomes this host's own credential, kept in the state folder.

kubeconfig    the credential, renewed by the running agent
joined-with   SHA-256 of the join token that it came from: the same command line may be run again after its token has ended
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from strongroom.agent import clock
from strongroom.agent.durable import make_folder, write_durably
from strongroom.agent.folders import StateFolder, StateTaken
from strongroom.api.errors import excerpt
from strongroom.api.fields import format_time
from strongroom.api.hostaccounts import AccountClaims, JoinToken, account_name, parse_join_token, read_claims
from strongroom.kube.accounts import TokenWish, request_token
from strongroom.kube.authorities import (
    Authority,
    check_server,
    describe_skew,
    fetch_authority,
    trust_authority,
)
from strongroom.kube.connection import connect_as
from strongroom.kube.errors import ApiError, Forbidden, NotFound, Unavailable
from strongroom.kube.joinerrors import JoinFailed, JoinProblem
from strongroom.kube.kubeconfigs import Credential, build_kubeconfig, read_credential

CREDENTIAL_SECONDS = 30 * 86_400
"""Life of a host's credential. It is renewed from half of it on: a host may be off for two weeks."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JoinRequest:
    """What a person gave to join with."""

    server: str
    """URL."""
    token: str = field(repr=False)
    """A join token."""
    host_name: str
    namespace: str
    state_dir: Path
    now: Callable[[], datetime] = clock.now


def credential_path(state_dir: Path) -> Path:
    """Where the host's own credential is kept."""
    return state_dir / "kubeconfig"


def join(request: JoinRequest) -> Path:
    """Become a host of the control plane, replacing the credential of an earlier joining; returns the kubeconfig.

    Does nothing when this very token was joined with before. Raises JoinFailed, and then nothing has changed. Blocks.
    """
    try:
        make_folder(request.state_dir)
        with StateFolder(request.state_dir).held():
            return _join(request)
    except (OSError, StateTaken) as error:
        why = f"{request.state_dir} cannot be used: {excerpt(str(error))}"
        raise JoinFailed(JoinProblem.StateUnusable, why) from error


def _join(request: JoinRequest) -> Path:
    path, mark = credential_path(request.state_dir), request.state_dir / "joined-with"
    digest = hashlib.sha256("".join(request.token.split()).encode()).hexdigest()
    if path.exists() and mark.exists() and mark.read_text() == digest:
        return path
    token = _parse(request)
    authority = _find_authority(request, token)
    if authority is not None:
        check_server(request.server, authority)
    credential = asyncio.run(_exchange(request, token, authority))
    write_durably(path, build_kubeconfig(credential))
    write_durably(mark, digest.encode())
    log.info("joined %s as DockerHost %s/%s", request.server, request.namespace, request.host_name)
    return path


def _parse(request: JoinRequest) -> JoinToken:
    """The token, if it is for this host."""
    try:
        token = parse_join_token(request.token)
        claims = read_claims(token.bearer)
    except ValueError as error:
        raise JoinFailed(JoinProblem.BadToken, str(error)) from error
    if (claims.namespace, claims.name) != (request.namespace, account_name(request.host_name)):
        why = (
            f"the token is for account {claims.name} in namespace {claims.namespace}, "
            f"and this is host {request.host_name} in namespace {request.namespace} (--host-name, --namespace)"
        )
        raise JoinFailed(JoinProblem.BadToken, why)
    return token


def _find_authority(request: JoinRequest, token: JoinToken) -> Authority | None:
    """Whom the token says to trust; None: the machine's own authorities."""
    if token.pin is not None:
        return fetch_authority(request.server, token.pin, request.now())
    if token.certificate is None:
        return None
    try:
        return trust_authority(request.server, token.certificate, request.now())
    except ValueError as error:
        raise JoinFailed(JoinProblem.BadToken, f"the token holds no certificate: {error}") from error


async def _exchange(request: JoinRequest, token: JoinToken, authority: Authority | None) -> Credential:
    """The host's own credential for the join token."""
    account = account_name(request.host_name)
    certificate = authority.certificate if authority else None
    short = Credential(request.server, certificate, account, token.bearer, request.namespace)
    wish = TokenWish(request.namespace, account, CREDENTIAL_SECONDS)
    try:
        async with connect_as(short, component="strongroom-agent") as client:
            return replace(short, token=await request_token(client, wish))
    except (Forbidden, NotFound) as error:
        raise JoinFailed(JoinProblem.Refused, _explain(request, token, authority, error)) from error
    except Unavailable as error:
        raise JoinFailed(JoinProblem.Unreachable, str(error)) from error
    except ApiError as error:
        raise JoinFailed(JoinProblem.Refused, f"{request.server} refused: {error}") from error


def _explain(request: JoinRequest, token: JoinToken, authority: Authority | None, error: ApiError) -> str:
    """Why a token was refused, by the clock of the server that judged it."""
    if error.status != 401:
        return f"the token may not make this host's credential: {error.message}"
    ends_at = read_claims(token.bearer).expires_at
    if authority is None or ends_at <= request.now() + authority.clock_ahead:
        skew = describe_skew(authority.clock_ahead) if authority else ""
        return f"the token ended at {format_time(ends_at)}{skew}"
    return "the token was revoked, or the control plane was set up anew"


def read_own(path: Path) -> tuple[Credential, AccountClaims] | None:
    """The host's credential and what its token says; None when the file is damaged."""
    credential = read_credential(path)
    try:
        return None if credential is None else (credential, read_claims(credential.token))
    except ValueError:
        return None


def find_joined(state_dir: Path) -> Path:
    """The kubeconfig of an earlier joining. Raises JoinFailed when there is none."""
    found = find_stored(state_dir)
    if found is None:
        why = f"{state_dir} holds no credential of an earlier joining, and no token was given"
        raise JoinFailed(JoinProblem.NotJoined, why)
    return found


def find_stored(state_dir: Path) -> Path | None:
    """The kubeconfig of an earlier joining, or None. Raises JoinFailed when it is there and unreadable."""
    path = credential_path(state_dir)
    if not path.exists():
        return None
    if read_own(path) is None:
        raise JoinFailed(JoinProblem.NotJoined, f"{path} is damaged: this host's credential is lost")
    return path
