"""Remarks on single files: counted exactly, the first ones kept."""

from dataclasses import dataclass, field

KEPT = 1000


@dataclass
class Notes:
    """How many remarks there were, and the first thousand of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.first) < KEPT:
            self.first.append(text)

    def joined(self, other: "Notes") -> "Notes":
        """Both together."""
        return Notes(self.count + other.count, [*self.first, *other.first][:KEPT])


def printable(name: bytes) -> str:
    r"""A file's name for people and JSON: bytes that are not UTF-8, control characters and backslashes are escaped."""
    text = name.decode(errors="backslashreplace") if b"\\" not in name else _escaped(name)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _escaped(name: bytes) -> str:
    return name.replace(b"\\", b"\\\\").decode(errors="backslashreplace")
