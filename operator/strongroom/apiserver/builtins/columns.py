"""Printer columns of built-in kinds, written like those of a CRD: Name first, Age last."""

from strongroom.apiserver.tables import AGE, NAME, Column, printer_columns


def builtin_columns(*columns: tuple[str, str, str]) -> tuple[Column, ...]:
    """Columns from (name, path, description), or (name:type, path, description) for what is no string."""
    entries = []
    for name, path, description in columns:
        title, _, type_ = name.partition(":")
        entries.append(
            {"name": title, "type": type_ or "string", "jsonPath": path, "description": description}
        )
    return (NAME, *printer_columns(entries)[1:], AGE) if entries else (NAME, AGE)
