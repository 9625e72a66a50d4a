"""One CEL expression: compiled once, evaluated often. The thin wall around the library."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_encoders, ext_math, ext_optional, ext_strings

from strongroom.apiserver.cel.functions import kubernetes_functions

# `oldSelf` as an optional cannot be declared as a variable, so it is bound inside the expression.
_OPTIONAL_OLD_SELF = "cel.bind(oldSelf, has_old_self__ ? optional.of(old_self__) : optional.none(), ({}))"

_STRING_LITERAL = re.compile(
    r"r?(\"\"\".*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')", re.DOTALL
)


class CompileError(ValueError):
    """The expression is not CEL, uses what is not declared, or has another type than asked for."""


class EvaluationError(Exception):
    """The expression compiled but gave no result on these values. Its text is the server's."""


class BudgetError(EvaluationError):
    """The expression ran for too long."""


@dataclass(frozen=True)
class Expression:
    text: str
    program: Any
    uses_old_self: bool
    optional_old_self: bool

    def evaluate(self, self_value: Any, old_value: Any, *, has_old: bool) -> Any:
        """Raises EvaluationError. `old_value` counts only with `has_old`."""
        data: dict[str, Any] = {"self": self_value}
        if self.optional_old_self:
            data |= {"has_old_self__": has_old, "old_self__": old_value}
        elif has_old:
            data["oldSelf"] = old_value
        return _evaluated(self.program, data)


@lru_cache(maxsize=4096)
def compile_expression(text: str, wanted: str, *, optional_old_self: bool = False) -> Expression:
    """`wanted` is the result's type, `bool` or `string`. Raises CompileError."""
    uses_old_self = re.search(r"\boldSelf\b", without_literals(text)) is not None
    optional = optional_old_self and uses_old_self
    source = _OPTIONAL_OLD_SELF.format(text) if optional else text
    try:
        program = _environment(optional=optional).compile(source)
        kind = program.return_type()
    except RuntimeError as error:
        raise CompileError(f"compilation failed: {_library_text(error)}") from error
    if kind not in (cel.Type.DYN, {"bool": cel.Type.BOOL, "string": cel.Type.STRING}[wanted]):
        raise CompileError(f"must evaluate to a {wanted}")
    return Expression(text, program, uses_old_self, optional)


def without_literals(text: str) -> str:
    """The expression with its string literals emptied, for looking at names."""
    return _STRING_LITERAL.sub("''", text)


@lru_cache(maxsize=2)
def _environment(*, optional: bool) -> Any:
    names = ("self", "has_old_self__", "old_self__") if optional else ("self", "oldSelf")
    return cel.NewEnv(
        variables=dict.fromkeys(names, cel.Type.DYN),
        extensions=[
            ext_strings.ExtStrings(),
            ext_optional.ExtOptional(),
            ext_math.ExtMath(),
            ext_encoders.ExtEncoders(),
            ext_bindings.ExtBindings(),
        ],
        functions=kubernetes_functions(),
    )


def _evaluated(program: Any, data: Mapping[str, Any]) -> Any:
    try:
        result = program.eval(data=data)
        failed = result.type() == cel.Type.ERROR
        plain = result.plain_value()
    except RuntimeError as error:
        if "budget" in str(error):
            raise BudgetError("actual cost limit exceeded") from error
        raise EvaluationError(_library_text(error)) from error
    if failed:
        raise EvaluationError(_server_text(str(plain)))
    return plain


def _library_text(error: Exception) -> str:
    return re.sub(r"\s*\[[A-Z_]+\]$", "", re.sub(r"^[A-Z_]+: ", "", str(error)))


def _server_text(text: str) -> str:
    """The library's words for a failure at run time in those of cel-go."""
    if found := re.search(r'Key not found in map : "?([^"]*)"?', text):
        return f"no such key: {found[1]}"
    if found := re.search(r"Index error: index=(-?\d+)", text):
        return f"index out of bounds: {found[1]}"
    if "No matching overloads" in text or "Applying SELECT" in text:
        return "no such overload"
    return {"divide by zero": "division by zero"}.get(
        _library_text(ValueError(text)), _library_text(ValueError(text))
    )
