"""Keeping a joined host's credential alive: renewed from half of its life on, and said aloud when it is refused."""

import asyncio
import contextlib
import logging
from dataclasses import replace
from pathlib import Path

from strongroom.agent import clock
from strongroom.agent.durable import write_durably
from strongroom.agent.joining import CREDENTIAL_SECONDS, read_own
from strongroom.api.fields import format_time
from strongroom.api.hostaccounts import AccountClaims, read_claims
from strongroom.kube.accounts import TokenWish, request_token
from strongroom.kube.client import KubeClient
from strongroom.kube.errors import ApiError
from strongroom.kube.kubeconfigs import Credential, build_kubeconfig

LONGEST_PAUSE_SECONDS = 3600.0
"""Looks this often at least: a machine that slept does not count on its timers."""
RETRY_SECONDS = 60.0
SOONEST_SECONDS = 1.0

log = logging.getLogger(__name__)


class CredentialKeeper:
    """The credential in one kubeconfig, which `client` logs in with. Nothing else may write that file."""

    def __init__(self, client: KubeClient, path: Path) -> None:
        """Nothing is read yet."""
        self._client = client
        self._path = path
        self._has_complained = False

    async def run(self) -> None:
        """Renew for ever. A refused credential does not end the agent: Jobs under way go on, and the API may know it again."""
        while True:
            pause = await self.look()
            if self._client.unauthorized.is_set():
                await asyncio.sleep(pause)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._client.unauthorized.wait()

    async def look(self) -> float:
        """Do what is due; returns the seconds until the next look, unless the server refuses before."""
        found = await asyncio.to_thread(read_own, self._path)
        if found is None:
            log.error("%s is damaged: after a restart this agent cannot log in. %s", self._path, _WAY_OUT)
            return LONGEST_PAUSE_SECONDS
        credential, claims = found
        if self._client.unauthorized.is_set():
            self._complain(credential, claims)
            return RETRY_SECONDS
        self._has_complained = False
        wait_seconds = (claims.half_life - clock.now()).total_seconds()
        if wait_seconds > 0:
            return min(max(wait_seconds, SOONEST_SECONDS), LONGEST_PAUSE_SECONDS)
        return await self._renew(credential, claims)

    async def _renew(self, credential: Credential, claims: AccountClaims) -> float:
        wish = TokenWish(credential.namespace, credential.user, CREDENTIAL_SECONDS)
        try:
            token = await request_token(self._client, wish)
            await asyncio.to_thread(
                write_durably, self._path, build_kubeconfig(replace(credential, token=token))
            )
        except (ApiError, OSError) as error:
            if self._client.unauthorized.is_set():
                self._complain(credential, claims)
            else:
                log.warning("this host's credential is not renewed yet: %s", error)
            return RETRY_SECONDS
        self._client.use_token(token)
        log.info("this host's credential is renewed until %s", format_time(read_claims(token).expires_at))
        return SOONEST_SECONDS

    def _complain(self, credential: Credential, claims: AccountClaims) -> None:
        """Say it once for each time that the server stopped knowing us."""
        if self._has_complained:
            return
        self._has_complained = True
        has_ended = claims.expires_at <= clock.now()
        why = f"it ended at {format_time(claims.expires_at)}" if has_ended else "it was revoked"
        log.error("%s refuses this host's credential: %s. %s", credential.server, why, _WAY_OUT)


_WAY_OUT = (
    "On the control plane run `strongroom token HOST`, and start this agent with --join and the new token."
)
