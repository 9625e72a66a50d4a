"""CEL rules beside the models that state them: a cluster refuses what our own parsing would refuse."""

from typing import Any

from pydantic import ConfigDict


def rule(expression: str, message: str) -> dict[str, str]:
    """One `x-kubernetes-validations` entry; rules that name `oldSelf` are run on updates only."""
    return {"rule": expression, "message": message}


def with_rules(*rules: dict[str, str]) -> ConfigDict:
    """Model settings that put the rules into the model's schema."""
    extra: dict[str, Any] = {"x-kubernetes-validations": list(rules)}
    return ConfigDict(json_schema_extra=extra)
