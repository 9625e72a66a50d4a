"""What a path points at: `/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME/SUBRESOURCE` and its shorter forms."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A place in the API; empty strings where the path is shorter."""

    group: str
    version: str
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""


NAMESPACES = "namespaces"
_OF_A_NAMESPACE = ("status", "finalize")


def parse_target(path: str) -> Target | None:
    """The target of a path below /api or /apis that names a version at least; None for every other path."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    # `namespaces/x/status` is a subresource of the namespace, `namespaces/x/secrets` is something inside it.
    if rest[:1] == [NAMESPACES] and len(rest) >= 3 and rest[2] not in _OF_A_NAMESPACE:
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        return None
    plural, name, subresource = [*rest, "", "", ""][:3]
    return Target(group, version, plural, namespace, name, subresource)
