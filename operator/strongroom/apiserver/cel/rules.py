"""The rules of one schema node, compiled, and how one rule judges one value (apiextensions `schema/cel/validation.go`).

Where servers differ the behaviour of 1.32 is kept: a refusal shows the type name of an object or list, and the value of a scalar.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.apiserver.cel.expressions import (
    BudgetError,
    CompileError,
    EvaluationError,
    Expression,
    compile_expression,
    without_literals,
)
from strongroom.apiserver.cel.fieldchecks import undefined_fields
from strongroom.apiserver.fielderrors import (
    FieldError,
    child,
    duplicate,
    forbidden,
    go_quote,
    invalid,
    required,
)

Schema = Mapping[str, Any]

_MAX_MESSAGE_BYTES = 5 * 1024
_OUT_OF_BUDGET = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)


class RuleError(ValueError):
    """Some rules of a CRD cannot be used; `problems` has one `path: text` for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Subject:
    """What a rule looks at: the values as CEL sees them, and the new one as it was sent."""

    value: Any
    cel_value: Any
    old_cel_value: Any
    has_old: bool


@dataclass(frozen=True)
class Rule:
    expression: Expression
    message: str
    message_expression: Expression | None
    reason: str
    field_path: str

    @property
    def uses_old_self(self) -> bool:
        return self.expression.uses_old_self

    def judge(self, subject: Subject, schema: Schema, path: str) -> FieldError | None:
        """None when the rule holds, or does not apply for want of an old value."""
        if self.uses_old_self and not subject.has_old and not self.expression.optional_old_self:
            return None
        name = self.message or self.expression.text.strip()
        kind = schema.get("type", "")
        try:
            holds = self.expression.evaluate(
                subject.cel_value, subject.old_cel_value, has_old=subject.has_old
            )
        except BudgetError:
            return invalid(path, kind, _OUT_OF_BUDGET)
        except EvaluationError as error:
            if str(error) == "no such overload":
                text = (
                    "call arguments did not match a supported operator, function or macro signature for rule"
                )
                return invalid(path, kind, f"'{error}': {text}: {name}")
            return invalid(path, kind, f"{error} evaluating rule: {name}")
        if holds is True:
            return None
        return self._refusal(subject, kind, child(path, self.field_path) if self.field_path else path)

    def _refusal(self, subject: Subject, kind: str, path: str) -> FieldError:
        detail = (
            self._evaluated_message(subject) or self.message or f"failed rule: {self.expression.text.strip()}"
        )
        shown = kind if kind in {"object", "array"} else subject.value
        if self.reason == "FieldValueForbidden":
            return forbidden(path, detail)
        if self.reason == "FieldValueRequired":
            return required(path, detail)
        if self.reason == "FieldValueDuplicate":
            return duplicate(path, shown)
        return invalid(path, shown, detail)

    def _evaluated_message(self, subject: Subject) -> str:
        """Empty when there is none or it cannot be used; the fixed message then stands in, as on the server."""
        if self.message_expression is None:
            return ""
        try:
            text = self.message_expression.evaluate(
                subject.cel_value, subject.old_cel_value, has_old=subject.has_old
            )
        except EvaluationError:
            return ""
        trimmed = text.strip() if isinstance(text, str) else ""
        return "" if "\n" in trimmed or len(trimmed.encode()) > _MAX_MESSAGE_BYTES else trimmed


def compile_node_rules(
    schema: Schema, path: str, *, correlatable: bool, problems: list[str]
) -> tuple[Rule, ...]:
    """The node's usable rules; what is wrong with the others is added to `problems`."""
    rules = []
    for position, document in enumerate(schema.get("x-kubernetes-validations") or []):
        place = f"{path}.x-kubernetes-validations[{position}]"
        try:
            rule = _compiled_rule(document, place)
            _check_use(rule, schema, place, correlatable=correlatable, is_root="." not in path)
        except CompileError as error:
            problems.append(str(error))
        else:
            rules.append(rule)
    return tuple(rules)


def _check_use(rule: Rule, schema: Schema, place: str, *, correlatable: bool, is_root: bool) -> None:
    text = rule.expression.text
    if rule.uses_old_self and not correlatable:
        reason = "oldSelf cannot be used on the uncorrelatable portion of the schema"
        raise CompileError(f"{place}.rule: Invalid value: {go_quote(text)}: {reason}")
    is_object = is_root or schema.get("x-kubernetes-embedded-resource", False)
    for expression in (rule.expression, rule.message_expression):
        source = without_literals(expression.text) if expression else ""
        if undefined := undefined_fields(source, schema, is_root=is_object):
            raise CompileError(
                f"{place}.rule: Invalid value: {go_quote(text)}: compilation failed: undefined field '{undefined[0]}'"
            )


def _compiled_rule(document: Mapping[str, Any], place: str) -> Rule:
    optional = bool(document.get("optionalOldSelf"))
    source = document.get("messageExpression")
    return Rule(
        expression=_compiled(document.get("rule", ""), "bool", f"{place}.rule", optional=optional),
        message=document.get("message", "").strip(),
        message_expression=_compiled(source, "string", f"{place}.messageExpression", optional=optional)
        if source
        else None,
        reason=document.get("reason", ""),
        field_path=_normalized(document.get("fieldPath", "")),
    )


def _compiled(text: str, wanted: str, place: str, *, optional: bool) -> Expression:
    try:
        return compile_expression(text, wanted, optional_old_self=optional)
    except CompileError as error:
        raise CompileError(f"{place}: Invalid value: {go_quote(text)}: {error}") from error


def _normalized(json_path: str) -> str:
    """`.a['b.c']` as the server prints a path: `a.b.c`."""
    parts = re.findall(r"\.([^.\[]+)|\['((?:\\.|[^'\\])*)'\]", json_path)
    return ".".join(plain or re.sub(r"\\(.)", r"\1", quoted) for plain, quoted in parts)
