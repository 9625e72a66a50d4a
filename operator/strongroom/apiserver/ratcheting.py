"""Ratcheting: an update is not refused for faults that were there before and that it does not touch.

Without it, an object that a stricter schema finds invalid could not even lose its finalizers. Source: KEP-4008; a fault is old when the
value it names, or one that holds it, is the same as before. Inside lists nothing can be told to be the same, so the list counts as a whole.
"""

import re
from typing import Any

from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.resources import Object

_STEP = re.compile(r"\.?([^.\[\]]+)|\[([^\]]*)\]")
_ABSENT = object()


def new_faults(errors: list[FieldError], obj: Object, old: Object) -> list[FieldError]:
    """The faults that this update brings."""
    return [error for error in errors if not _is_old(error, obj, old)]


def _is_old(error: FieldError, obj: Any, old: Any) -> bool:
    steps = [name or key for name, key in _STEP.findall(error.field)]
    if error.type == "FieldValueRequired":
        # What is missing is a fault of what should hold it.
        steps = steps[:-1]
    for step in steps:
        obj, old = _below(obj, step), _below(old, step)
        if obj is _ABSENT or old is _ABSENT:
            return False
        if obj == old:
            return True
    return False


def _below(value: Any, step: str) -> Any:
    return value.get(step, _ABSENT) if isinstance(value, dict) else _ABSENT
