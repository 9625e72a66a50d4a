"""The gate at the door: a bearer token makes a user, the user's role allows or refuses."""

from starlette.datastructures import Headers

from strongroom.apiserver.auth.roles import Roles, allows
from strongroom.apiserver.auth.tokens import Tokens
from strongroom.apiserver.handlers.calls import Call
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.requests import User


class TokenGate:
    """Implements the application's `Gate`."""

    def __init__(self, tokens: Tokens, roles: Roles) -> None:
        """`roles` by name."""
        self._tokens = tokens
        self._roles = roles

    def authenticate(self, headers: Headers) -> User:
        """The user of a request. Raises 401."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        user = self._tokens.find_user(token.strip()) if scheme.lower() == "bearer" and token.strip() else None
        if user is None:
            raise statuses.unauthorized()
        return user

    def authorize(self, user: User, verb: str, call: Call) -> None:
        """Raise 403 unless the user may do this."""
        resource, target = call.resource, call.target
        path = f"{resource.plural}/{target.subresource}" if target.subresource else resource.plural
        if allows(self._roles.get(user.role, ()), verb, resource.group, path):
            return
        where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
        why = f'User "{user.name}" cannot {verb} resource "{path}" in API group "{resource.group}" {where}'
        raise statuses.forbidden(resource.plural, resource.group, target.name, why)
