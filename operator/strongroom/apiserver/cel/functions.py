"""Kubernetes' own CEL functions that the library does not bring: lists, regular expressions, sets.

Source: apiserver `pkg/cel/library/{lists,regex}.go`. Missing: `indexOf` of lists (the name is taken), quantities, URLs, IPs, semver, named formats.
An exception inside a function becomes the error "no such overload", as for arguments of a wrong type.
"""

import re
from itertools import pairwise
from typing import Any

from cel_expr_python import cel

_LIST = cel.Type.List(cel.Type.DYN)


def _function(name: str, returns: Any, parameters: list[Any], run: Any, *, is_member: bool = True) -> Any:
    overload = cel.Overload(
        f"kubernetes_{name.replace('.', '_')}_{len(parameters)}",
        return_type=returns,
        parameters=parameters,
        is_member=is_member,
        impl=run,
    )
    return name, overload


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text, re.ASCII)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match[0] for match in re.finditer(pattern, text, re.ASCII)]
    return found if limit < 0 else found[:limit]


def _is_sorted(items: list[Any]) -> bool:
    return all(first <= second for first, second in pairwise(items))


def kubernetes_functions() -> list[Any]:
    """Declarations for the environment; functions of one name are overloads of it."""
    text, whole, boolean, any_type = cel.Type.STRING, cel.Type.INT, cel.Type.BOOL, cel.Type.DYN
    entries = [
        _function("isSorted", boolean, [_LIST], _is_sorted),
        _function("sum", any_type, [_LIST], sum),
        _function("min", any_type, [_LIST], min),
        _function("max", any_type, [_LIST], max),
        _function("find", text, [text, text], _find),
        _function("findAll", cel.Type.List(text), [text, text], _find_all),
        _function("findAll", cel.Type.List(text), [text, text, whole], _find_all),
        _function(
            "sets.contains", boolean, [_LIST, _LIST], lambda a, b: all(x in a for x in b), is_member=False
        ),
        _function(
            "sets.intersects", boolean, [_LIST, _LIST], lambda a, b: any(x in a for x in b), is_member=False
        ),
        _function(
            "sets.equivalent",
            boolean,
            [_LIST, _LIST],
            lambda a, b: all(x in a for x in b) and all(x in b for x in a),
            is_member=False,
        ),
    ]
    names = dict.fromkeys(name for name, _ in entries)
    return [
        cel.FunctionDecl(name, [overload for owner, overload in entries if owner == name]) for name in names
    ]
