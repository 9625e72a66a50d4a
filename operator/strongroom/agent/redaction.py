"""Nothing that leaves the machine holds a secret: what workers say is searched for the very values they were given."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SHORTEST = 4
"""A shorter value would blank out half of every message, and protects nothing."""
MASK = "[secret]"
TELLING = 12
"""A shorter value that stands within a name (of a store, a table, a key) is an ordinary word: masking it would change what is named."""
_NAME = re.compile(r"[^\s\"'`]+")


class Redactor:
    """Replaces known secret values in text."""

    def __init__(self, values: Iterable[bytes], ordered: str = "") -> None:
        """Multi-line values (keys, certificates) are looked for line by line, because excerpts join lines.

        `ordered` is the work order's text: it holds no secret, so a value that stands in it is part of a name as well.
        """
        lines = {line.strip() for value in values for line in value.decode(errors="replace").splitlines()}
        self._needles = sorted((line for line in lines if len(line) >= SHORTEST), key=len, reverse=True)
        self._telling = [line for line in self._needles if len(line) >= TELLING and line not in ordered]

    def text(self, text: str) -> str:
        """The text with every secret masked."""
        for needle in self._needles:
            text = text.replace(needle, MASK)
        return text

    def json(self, value: Any) -> Any:
        """Parsed JSON with every text in it masked, and names as far as they could tell a secret; keys are our own words."""
        if isinstance(value, str):
            return self._name(value) if _NAME.fullmatch(value) else self.text(value)
        if isinstance(value, list):
            return [self.json(item) for item in value]
        if isinstance(value, dict):
            return {key: self._field(key, item) for key, item in value.items()}
        return value

    def _field(self, key: str, value: Any) -> Any:
        is_text = isinstance(value, str) and key.lower().endswith("message")
        return self.text(value) if is_text else self.json(value)

    def _name(self, name: str) -> str:
        """One word. Whoever has `shop` for a password has it in names, too, and a backup whose key is masked is lost."""
        for needle in self._telling:
            name = name.replace(needle, MASK)
        return name


def redactor_of(secrets: Path, order: Path) -> Redactor:
    """A redactor for the values in a secrets folder, `<Secret>/<key>`; none are known when the folder is gone."""
    ordered = order.read_text(errors="replace") if order.is_file() else ""
    return Redactor((file.read_bytes() for file in secrets.glob("*/*") if file.is_file()), ordered)
