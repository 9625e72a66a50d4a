"""Rules by which a run sees a few names and nothing else, and the listings that come of it (rsync(1), FILTER RULES)."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import NamedTuple

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.stores.keys import LOST_AND_FOUND

_LINE = re.compile(rb"(.)[-a-zA-Z]{9}\S*\s+([\d,.]+) (\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) (.*)")
_ESCAPE = re.compile(rb"\\#([0-7]{3})")


class Entry(NamedTuple):
    """One line of a listing: `-` is a file, `d` a folder, `l` a symbolic link."""

    path: str
    kind: str
    size: int
    modified: datetime


def parents(path: str) -> list[str]:
    """The folders of a path from the top: `a/b/c` is in `a` and `a/b`."""
    return list(accumulate(path.split("/")[:-1], lambda above, name: f"{above}/{name}"))


def only(paths: Iterable[str], trees: Sequence[str] = ()) -> str:
    """The rules for these names, for those trees with all that is in them, and for the folders on the way."""
    trees = [tree for tree in trees if tree]
    names = list(paths)
    above = dict.fromkeys(folder for name in [*names, *trees] for folder in parents(name))
    rules = [
        *(f"+ /{_literal(folder)}/" for folder in above),
        *(f"+ /{_literal(name)}" for name in names),
        *(f"+ /{_literal(tree)}/***" for tree in trees),
        "- *",
    ]
    return "".join(f"{rule}\n" for rule in rules)


def on_the_way(key: str) -> str:
    """The rules for a name and for whatever has the names of its folders, be it a link. To look alone: they protect less."""
    return "".join(f"+ /{_literal(name)}\n" for name in (*parents(key), key)) + "- *\n"


def below(folder: str) -> str:
    """The rules for everything in a folder; of the whole store where it is the empty name."""
    return only([], [folder]) if folder else f"- /{LOST_AND_FOUND}\n"


def parse_listing(output: bytes) -> list[Entry]:
    """What `--list-only` says with `TZ=UTC`, without the folder itself. StoreFailed for a line that is none."""
    found = []
    for line in output.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            words = excerpt(line.decode(errors="replace"))
            raise StrongroomError(
                Reason.StoreFailed, f"rsync.path: its listing has a line that is none: {words}"
            )
        kind, size, modified, name = match.groups()
        path = _ESCAPE.sub(lambda code: bytes([int(code[1], 8)]), name).decode(errors="surrogateescape")
        if path != ".":
            moment = datetime.strptime(modified.decode(), "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC)
            found.append(Entry(path, kind.decode(), int(re.sub(rb"\D", b"", size)), moment))
    return found


def _literal(path: str) -> str:
    """A pattern that means just that path, whether rsync takes it for one with wildcards or not."""
    return re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", path)
