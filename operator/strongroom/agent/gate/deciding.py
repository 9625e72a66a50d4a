"""Which request is passed on, and in which words: the list of all that a worker may ask of the Engine. Pure but for execs.

The Engine reads JSON without regard to case and takes the last of two equal keys, so bodies are built anew from known keys.
https://docs.docker.com/reference/api/engine/version/v1.41/
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.agent.gate.requests import Head, Refused
from strongroom.agent.gate.rules import Rules

_VERSION = r"(/v1\.[4-9][0-9])?"
_NAME = r"([A-Za-z0-9][A-Za-z0-9_.-]{0,254})"
_STOP_QUERY = re.compile(r"(t=[0-9]{1,6})?")

# To add up sizes, the Engine would walk through every container's files.
_LIST_PART = re.compile(r"(all|trunc_cmd)=[01]|size=0|limit=-1|filters=[^&]*")

ContainerOfExec = Callable[[str], str | None]
"""The id of the container that an exec belongs to; asks the Engine."""


@dataclass(frozen=True)
class Passed:
    """A request as it goes to the Engine."""

    method: str
    target: str
    body: bytes = b""
    upgrades: bool = False


def decide(head: Head, body: bytes, rules: Rules, container_of_exec: ContainerOfExec) -> Passed:
    """What goes to the Engine. Raises Refused for everything that is not on the list."""
    for method, pattern, build in _LIST:
        match = re.fullmatch(_VERSION + pattern, head.path)
        if match is not None and head.method in method:
            if head.upgrades and build is not _start_exec:
                raise Refused(400, "only the start of an exec upgrades its connection")
            return build(_Asked(head, body, match[1] or "", match.groups()[1:], rules, container_of_exec))
    raise Refused(403, f"{head.method} {head.path} is not passed by this gate")


@dataclass(frozen=True)
class _Asked:
    head: Head
    body: bytes
    version: str
    words: tuple[str, ...]
    rules: Rules
    container_of_exec: ContainerOfExec


def _plain(asked: _Asked) -> Passed:
    if asked.head.query:
        raise Refused(400, "no query is passed here")
    return Passed(asked.head.method, asked.head.path)


def _list(asked: _Asked) -> Passed:
    if asked.head.query and not all(_LIST_PART.fullmatch(part) for part in asked.head.query.split("&")):
        raise Refused(400, "this query is not passed")
    return Passed("GET", f"{asked.version}/containers/json?{asked.head.query}")


def _inspect(asked: _Asked) -> Passed:
    return Passed("GET", f"{asked.version}/containers/{_container(asked, asked.rules.inspect)}/json")


def _control(asked: _Asked) -> Passed:
    query = asked.head.query
    if not _STOP_QUERY.fullmatch(query) or (query and asked.words[1] != "stop"):
        raise Refused(400, "this query is not passed")
    container = _container(asked, asked.rules.control)
    return Passed("POST", f"{asked.version}/containers/{container}/{asked.words[1]}?{query}")


def _create(asked: _Asked) -> Passed:
    """One that the order itself describes, word for word: what goes on is our own text."""
    name = asked.head.query.removeprefix("name=")
    wanted = asked.rules.drills.get(name)
    if wanted is None or asked.head.query != f"name={name}":
        raise Refused(403, "no container of that name is made for this order")
    try:
        given = json.loads(asked.body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "the body is not JSON") from error
    if given != wanted:
        raise Refused(403, f"container {name} is not made in this way")
    return Passed("POST", f"{asked.version}/containers/create?name={name}", json.dumps(wanted).encode())


def _volume(asked: _Asked) -> Passed:
    if asked.words[0] not in asked.rules.volumes:
        raise Refused(403, f"volume {asked.words[0]} is none of this order's")
    return Passed("GET", f"{asked.version}/volumes/{asked.words[0]}")


def _create_exec(asked: _Asked) -> Passed:
    container = _container(asked, asked.rules.exec)
    given = _json(asked.body, {*_FLAGS, *_TEXTS, *_LISTS, *_DROPPED, "Privileged", "Tty"})
    # A working folder such as /proc/self/fd/7 has led out of containers (CVE-2024-21626), and nothing needs one.
    if given.get("Privileged") or given.get("Tty") or given.get("WorkingDir"):
        raise Refused(403, "no exec is privileged, has a terminal or a folder of its own")
    wanted = {
        **{key: _flag(given, key) for key in _FLAGS},
        **{key: _text(given, key) for key in _TEXTS},
        **{key: _texts(given, key) for key in _LISTS},
    }
    return Passed("POST", f"{asked.version}/containers/{container}/exec", json.dumps(wanted).encode())


def _start_exec(asked: _Asked) -> Passed:
    exec_id = _exec(asked)
    given = _json(asked.body, {"Detach", "Tty", "ConsoleSize"})
    if given.get("Tty"):
        raise Refused(403, "no exec has a terminal")
    detach = _flag(given, "Detach")
    if asked.head.upgrades == detach:
        raise Refused(400, "an exec is either detached or a stream")
    body = json.dumps({"Detach": detach, "Tty": False}).encode()
    return Passed("POST", f"{asked.version}/exec/{exec_id}/start", body, upgrades=not detach)


def _inspect_exec(asked: _Asked) -> Passed:
    return Passed("GET", f"{asked.version}/exec/{_exec(asked)}/json")


_LIST: tuple[tuple[tuple[str, ...], str, Callable[[_Asked], Passed]], ...] = (
    (("GET", "HEAD"), "/_ping", _plain),
    (("GET",), "/version", _plain),
    (("GET",), "/containers/json", _list),
    (("POST",), "/containers/create", _create),
    (("GET",), f"/containers/{_NAME}/json", _inspect),
    (("POST",), f"/containers/{_NAME}/(stop|start|pause|unpause)", _control),
    (("POST",), f"/containers/{_NAME}/exec", _create_exec),
    (("POST",), f"/exec/{_NAME}/start", _start_exec),
    (("GET",), f"/exec/{_NAME}/json", _inspect_exec),
    (("GET",), f"/volumes/{_NAME}", _volume),
)
_FLAGS = ("AttachStdin", "AttachStdout", "AttachStderr")
_TEXTS = ("User",)
_LISTS = ("Cmd", "Env")
_DROPPED = ("Container", "WorkingDir", "DetachKeys", "detachKeys")


def _container(asked: _Asked, allowed: frozenset[str]) -> str:
    name = asked.words[0]
    container = name if name in allowed else asked.rules.names.get(name)
    if container not in allowed or container is None:
        raise Refused(403, f"container {name} is none of this order's for this")
    return container


def _exec(asked: _Asked) -> str:
    if asked.head.query:
        raise Refused(400, "no query is passed here")
    if asked.container_of_exec(asked.words[0]) not in asked.rules.exec:
        raise Refused(403, f"exec {asked.words[0]} is in no container of this order")
    return asked.words[0]


def _json(body: bytes, known: set[str]) -> Mapping[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refused(400, "the body is not JSON") from error
    if not isinstance(given, dict) or not known.issuperset(given):
        raise Refused(403, "the body has a field that is not passed")
    return given


def _flag(given: Mapping[str, Any], key: str) -> bool:
    return given.get(key) is True


def _text(given: Mapping[str, Any], key: str) -> str:
    value = given.get(key) or ""
    if not isinstance(value, str):
        raise Refused(400, f"{key} is no text")
    return value


def _texts(given: Mapping[str, Any], key: str) -> list[str]:
    value = given.get(key) or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Refused(400, f"{key} is no list of texts")
    return value
