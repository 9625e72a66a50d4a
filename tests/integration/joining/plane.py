"""A control plane as its administrator uses it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from click.testing import CliRunner
from tests.integration.apiserver.serving import Running

from strongroom.api.hostaccounts import JoinToken, account_name, format_join_token
from strongroom.apiserver.auth.accounts import Account, AccountTokens
from strongroom.apiserver.auth.jwts import ensure_signing_key
from strongroom.cli.token import token as token_command
from strongroom.kube.authorities import pin_of


@dataclass
class Plane:
    """Invites and revokes hosts."""

    running: Running

    @property
    def url(self) -> str:
        return self.running.endpoint.url

    @property
    def pin(self) -> bytes:
        return pin_of(self.running.ca.read_bytes())

    def invite(self, host: str, *words: str) -> str:
        """A join token, by `strongroom token`."""
        kubeconfig = str(self.running.endpoint.kubeconfigs.admin)
        done = CliRunner().invoke(token_command, [host, "--kubeconfig", kubeconfig, "-o", "token", *words])
        assert done.exit_code == 0, done.output
        return done.output.strip()

    def revoke(self, host: str) -> None:
        with self.running.client() as api:
            path = f"/api/v1/namespaces/default/serviceaccounts/{account_name(host)}"
            assert api.delete(path).status_code == 200

    def mint(self, host: str, lifetime: timedelta, *, age: timedelta) -> str:
        """A bearer token of a host's account as the server itself would have issued it some time ago."""
        with self.running.client() as api:
            path = f"/api/v1/namespaces/default/serviceaccounts/{account_name(host)}"
            uid = api.get(path).json()["metadata"]["uid"]
        key = ensure_signing_key(self.running.state_dir / "pki" / "accounts.key")
        issuer = AccountTokens(key, lambda *_: uid, lambda: datetime.now(UTC) - age)
        return issuer.issue(Account("default", account_name(host), uid), lifetime)[0]

    def wrap(self, bearer: str, pin: bytes | None = None) -> str:
        return format_join_token(JoinToken(pin or self.pin, bearer))
