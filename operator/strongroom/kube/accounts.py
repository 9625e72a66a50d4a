"""Tokens of service accounts: asked for at the API (authentication.k8s.io/v1 TokenRequest), by whoever may."""

from dataclasses import dataclass, field

from strongroom.kube.client import KubeClient
from strongroom.kube.errors import Invalid
from strongroom.kube.kinds import SERVICE_ACCOUNTS


@dataclass(frozen=True)
class TokenWish:
    """Whose token, and how long it shall live; a server may give less."""

    namespace: str
    account: str
    lifetime_seconds: int = field(default=3600)


async def request_token(client: KubeClient, wish: TokenWish) -> str:
    """A new token of the account; others of it stay good. Raises ApiError; NotFound when there is no such account."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": wish.lifetime_seconds},
    }
    answer = await client.create_at(SERVICE_ACCOUNTS, wish.namespace, wish.account, "token", body)
    token = (answer.get("status") or {}).get("token")
    if not isinstance(token, str) or not token:
        raise Invalid(200, "", "the API server answered a TokenRequest without a token")
    return token
