"""Field names as CEL identifiers (apiserver `pkg/cel/escaping.go`): `my-field` is read as `self.my__dash__field`."""

import re
from functools import lru_cache

_RESERVED = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_EXPANSIONS = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}


@lru_cache(maxsize=8192)
def escaped(name: str) -> str:
    """Names that no escaping makes an identifier stay as they are; rules cannot reach them."""
    if name in _RESERVED:
        return f"__{name}__"
    if not re.fullmatch(r"[A-Za-z_.\-/][A-Za-z0-9_.\-/]*", name):
        return name
    return re.sub(r"__|[./-]", lambda found: _EXPANSIONS[found[0]], name)
