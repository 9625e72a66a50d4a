"""Files that a compose file names: further compose files, and where services, secrets and configs take their contents from.

https://github.com/compose-spec/compose-spec: `include`, `extends`, `env_file`, `label_file`, `secrets`, `configs`.
"""

import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

_TEXT_BYTES = 4 << 20


@dataclass
class Named:
    """Absolute paths. `compose`: further compose files, each with the folder that its own names are seen from.

    `unknown`: names with variables in them, as they are written: what they stand for is known to compose alone.
    """

    folder: str
    files: list[str] = field(default_factory=list)
    compose: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def add_files(self, given: Any) -> None:
        """A name, or a list of names or of mappings with `path`."""
        self.files += [self._absolute(name) for name in self._known(given)]

    def add_compose(self, given: Any, folder: Any = None) -> None:
        """The same; names in them are seen from `folder`, or else from where they lie."""
        for name in self._known(given):
            path = self._absolute(name)
            own = self._absolute(folder) if isinstance(folder, str) else posixpath.dirname(path)
            self.compose.setdefault(path, own)

    def _known(self, given: Any) -> Iterator[str]:
        for item in given if isinstance(given, list) else [given]:
            name = item.get("path") if isinstance(item, dict) else item
            if isinstance(name, str) and "$" in name:
                self.unknown.append(name)
            elif isinstance(name, str):
                yield name

    def _absolute(self, name: str) -> str:
        return posixpath.normpath(posixpath.join(self.folder, name))


def read_compose_file(place: str) -> bytes:
    """Its text, and one byte more than any compose file has if it is longer. ValueError for what is no plain file; OSError.

    A container that writes into the project's folder may have put a pipe, or a link to a device, in its place.
    """
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a plain file")
        return file.read(_TEXT_BYTES + 1)


def named_files(text: bytes, folder: str) -> Named:
    """What is named in it, relative names seen from `folder`. ValueError when it is no compose file that can be understood."""
    if len(text) > _TEXT_BYTES:
        raise ValueError("longer than any compose file")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(content, dict):
        raise ValueError("not a mapping")  # noqa: TRY004 - the caller handles content that is wrong in any way alike
    named = Named(folder)
    _add_included(named, content.get("include"))
    for service in _entries(content.get("services")):
        named.add_files(service.get("env_file"))
        named.add_files(service.get("label_file"))
        if isinstance(extended := service.get("extends"), dict):
            named.add_compose(extended.get("file"))
    for kind in ("secrets", "configs"):
        for entry in _entries(content.get(kind)):
            named.add_files(entry.get("file"))
    return named


def _add_included(named: Named, included: Any) -> None:
    for item in included if isinstance(included, list) else []:
        if isinstance(item, dict):
            named.add_compose(item.get("path"), item.get("project_directory"))
            named.add_files(item.get("env_file"))
        else:
            named.add_compose(item)


def _entries(part: Any) -> list[dict[Any, Any]]:
    return [entry for entry in part.values() if isinstance(entry, dict)] if isinstance(part, dict) else []
