"""What a request asks to be allowed to do: the words of a Role's rule, read off the request itself."""

from collections.abc import Mapping
from dataclasses import dataclass

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, order=True)
class Permission:
    """One verb on one resource (`jobs`, `jobs/status`) of a group, in a namespace or (empty) in all of them."""

    verb: str
    resource: str
    group: str
    namespace: str

    def __str__(self) -> str:
        """For people: `list backupruns.strongroom.dev in namespace shop`."""
        plural, _, subresource = self.resource.partition("/")
        named = f"{plural}.{self.group}" if self.group else plural
        below = f"/{subresource}" if subresource else ""
        return f"{self.verb} {named}{below} {self.where}"

    @property
    def where(self) -> str:
        """The namespace in words."""
        return f"in namespace {self.namespace}" if self.namespace else "in all namespaces"


def find_permission(method: str, path: str, query: Mapping[str, str]) -> Permission | None:
    """The right that a request needs; None for one that is about no resource, such as discovery."""
    words = path.strip("/").split("/")
    if words[:1] == ["api"] and len(words) > 2:
        group, rest = "", words[2:]
    elif words[:1] == ["apis"] and len(words) > 3:
        group, rest = words[1], words[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource = "/".join((rest[0], *rest[2:]))
    if method != "GET":
        return Permission(_VERBS.get(method, method.lower()), resource, group, namespace)
    verb = "get" if len(rest) > 1 else "watch" if query.get("watch") == "true" else "list"
    return Permission(verb, resource, group, namespace)
