"""Which rules must an object keep beyond its shape? `x-kubernetes-validations` of a schema, in CEL.

Belongs here: compiling the rules of a CRD once, evaluating them on each write, wording what they refuse; the only home of the CEL library.
Forbidden: values that the schema has not accepted yet (package `schema` comes first).
"""

from strongroom.apiserver.cel.rules import RuleError
from strongroom.apiserver.cel.validation import CompiledRules, compile_rules

__all__ = ["CompiledRules", "RuleError", "compile_rules"]
