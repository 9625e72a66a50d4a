"""The gate at the door: a bearer token makes a user, the user's rules allow or refuse."""

from collections.abc import Callable

from starlette.datastructures import Headers

from strongroom.apiserver.auth.roles import Attributes, FindRules, allows
from strongroom.apiserver.handlers.calls import Call
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.requests import User

FindUser = Callable[[str], User | None]
"""The user of a bearer token."""


class TokenGate:
    """Implements the application's `Gate`."""

    def __init__(self, find_user: FindUser, find_rules: FindRules) -> None:
        """Ask these two, at every request: what was revoked holds at once."""
        self._find_user = find_user
        self._find_rules = find_rules

    def authenticate(self, headers: Headers) -> User:
        """The user of a request. Raises 401."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        user = self._find_user(token.strip()) if scheme.lower() == "bearer" and token.strip() else None
        if user is None:
            raise statuses.unauthorized()
        return user

    def authorize(self, user: User, verb: str, call: Call) -> None:
        """Raise 403 unless the user may do this."""
        resource, target = call.resource, call.target
        path = f"{resource.plural}/{target.subresource}" if target.subresource else resource.plural
        wanted = Attributes(verb, resource.group, path, target.name)
        if allows(self._find_rules(user, target.namespace), wanted):
            return
        where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
        why = f'User "{user.name}" cannot {verb} resource "{path}" in API group "{resource.group}" {where}'
        raise statuses.forbidden(resource.plural, resource.group, target.name, why)
