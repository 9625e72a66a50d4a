"""Files that a compose file names: where services, secrets and configs take their contents from."""

import posixpath
from collections.abc import Iterator
from typing import Any

import yaml

_TEXT_BYTES = 4 << 20


def named_files(text: bytes, folder: str) -> list[str]:
    """Absolute paths, relative ones seen from `folder`. ValueError when it is no compose file that can be understood.

    Names with variables in them are left out: what they stand for is known to compose alone.
    """
    if len(text) > _TEXT_BYTES:
        raise ValueError("longer than any compose file")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(content, dict):
        raise ValueError("not a mapping")  # noqa: TRY004 - the caller handles content that is wrong in any way alike
    names = [name for name in _names(content) if isinstance(name, str) and "$" not in name]
    return [posixpath.normpath(posixpath.join(folder, name)) for name in names]


def _names(content: dict[Any, Any]) -> Iterator[Any]:
    for service in _entries(content.get("services")):
        given = service.get("env_file")
        for item in given if isinstance(given, list) else [given]:
            yield item.get("path") if isinstance(item, dict) else item
    for kind in ("secrets", "configs"):
        for entry in _entries(content.get(kind)):
            yield entry.get("file")


def _entries(part: Any) -> list[dict[Any, Any]]:
    return [entry for entry in part.values() if isinstance(entry, dict)] if isinstance(part, dict) else []
