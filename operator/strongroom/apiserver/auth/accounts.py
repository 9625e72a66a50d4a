"""Tokens of service accounts: signed, ending, bound to the account's uid.

Nothing of them is kept: one is good as long as its signature, its time and its account are. The claims are those of Kubernetes
(k8s.io/kubernetes `pkg/serviceaccount/claims.go`), so that clients which look into tokens understand them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from strongroom.apiserver.auth.authority import Key
from strongroom.apiserver.auth.jwts import BadToken, Claims, sign, verify
from strongroom.apiserver.auth.tokens import AUTHENTICATED
from strongroom.apiserver.http.requests import User

ISSUER = "strongroom"
"""Also the only audience: these tokens are for this API."""
_PRIVATE = "kubernetes.io"
_EVERY_ACCOUNT = "system:serviceaccounts"


@dataclass(frozen=True)
class Account:
    """One service account in time and space."""

    namespace: str
    name: str
    uid: str

    @property
    def user_name(self) -> str:
        """As bindings and messages name it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


FindUid = Callable[[str, str], str | None]
"""The uid of the account in a namespace, of a name; None when there is none any more."""


class AccountTokens:
    """Issues tokens and knows its own again."""

    def __init__(
        self,
        key: Key,
        find_uid: FindUid,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`key` signs; `find_uid` is asked at every use of a token."""
        self._key = key
        self._find_uid = find_uid
        self._clock = clock

    def issue(self, account: Account, lifetime: timedelta) -> tuple[str, datetime]:
        """A token, and when it ends."""
        now = self._clock().replace(microsecond=0)
        end = now + lifetime
        private = {
            "namespace": account.namespace,
            "serviceaccount": {"name": account.name, "uid": account.uid},
        }
        times = {"exp": int(end.timestamp()), "iat": int(now.timestamp()), "nbf": int(now.timestamp())}
        claims = {"aud": [ISSUER], **times, "iss": ISSUER, _PRIVATE: private, "sub": account.user_name}
        return sign(claims, self._key), end

    def find_user(self, token: str) -> User | None:
        """The user of a token; None for one that is not ours, has ended, or whose account is gone or another by now."""
        try:
            claims = verify(token, self._key)
        except BadToken:
            return None
        account = _account(claims)
        if account is None or not self._is_current(claims):
            return None
        if self._find_uid(account.namespace, account.name) != account.uid:
            return None
        groups = (_EVERY_ACCOUNT, f"{_EVERY_ACCOUNT}:{account.namespace}", AUTHENTICATED)
        return User(account.user_name, groups, uid=account.uid)

    def _is_current(self, claims: Claims) -> bool:
        if claims.get("iss") != ISSUER or ISSUER not in claims.get("aud", ()):
            return False
        return bool(claims["nbf"] <= self._clock().timestamp() < claims["exp"])


def _account(claims: Claims) -> Account | None:
    private: dict[str, Any] = claims.get(_PRIVATE) or {}
    bound = private.get("serviceaccount") or {}
    if not (bound.get("name") and bound.get("uid") and private.get("namespace")):
        return None
    return Account(private["namespace"], bound["name"], bound["uid"])
