"""What Secrets and ConfigMaps share: the form of their keys, and `immutable`."""

import re
from collections.abc import Iterable, Sequence

from strongroom.apiserver import fielderrors
from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.resources import Object

_KEY = re.compile(r"[-._a-zA-Z0-9]+", re.ASCII)
_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
    "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
LONGEST_KEY = 253


def key_errors(keys: Iterable[str], path: str) -> list[FieldError]:
    """Keys become file names: they must be fit for that."""
    return [
        fielderrors.invalid(f"{path}[{key}]", key, problem) for key in keys for problem in _key_problems(key)
    ]


def _key_problems(key: str) -> list[str]:
    problems = [f"must be no more than {LONGEST_KEY} characters"] if len(key) > LONGEST_KEY else []
    if not _KEY.fullmatch(key):
        problems.append(_KEY_RULE)
    if key == ".":
        problems.append("must not be '.'")
    elif key == "..":
        problems.append("must not be '..'")
    elif key.startswith(".."):
        problems.append("must not start with '..'")
    return problems


def immutable_errors(obj: Object, old: Object, names: Sequence[str]) -> list[FieldError]:
    """An object marked immutable keeps its data and its mark."""
    if not old.get("immutable"):
        return []
    why = "field is immutable when `immutable` is set"
    errors = [] if obj.get("immutable") else [fielderrors.forbidden("immutable", why)]
    return errors + [fielderrors.forbidden(name, why) for name in names if obj.get(name) != old.get(name)]
