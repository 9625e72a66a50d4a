"""Which folder or file of this machine a source means, and the tar trees made of it."""

import os
import posixpath
import stat
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.files.walking import Tree


@dataclass(frozen=True)
class Root:
    """What is archived. `folder` is the one that tar starts in; the trees' given names are relative to it."""

    folder: bytes
    trees: tuple[Tree, ...]


def build_root(place: str, what: str) -> Root:
    """The archive of one folder, as `tar -C FOLDER .` makes it, or of one file, `./name`. Links on the way are resolved.

    SourceMissing when it does not exist, ReadFailed when it cannot be looked at.
    """
    path = os.fsencode(resolve_place(place, what))
    if os.path.isdir(path):  # noqa: PTH112 - names are bytes here
        return Root(path, (Tree(path, b".", b"."),))
    folder, name = os.path.split(path)
    return Root(folder, (Tree(path, b"./" + name, b"./" + name),))


def build_named_root(places: dict[str, str], what: str) -> Root:
    """The archive of several paths of the host, by path the place where each is seen; stored as paths without a slash.

    tar tries every tree's renaming on every name, one after the other. So that it fits the names of its tree alone, each
    tree's given names begin with another number of `./`, and no stored name with any.
    """
    trees = []
    for number, (path, place) in enumerate(places.items(), start=1):
        real = os.fsencode(resolve_place(place, what))
        stored = os.path.normpath(os.fsencode(path)).lstrip(b"/")
        trees.append(Tree(real, b"./" * number + real.lstrip(b"/"), stored))
    return Root(b"/", tuple(trees))


def resolve_place(place: str, what: str) -> str:
    """The place without symbolic links. SourceMissing or ReadFailed, with `what` (object and field) in the text."""
    if not place.startswith("/"):
        # Some volume drivers tell no mountpoint while nothing has the volume mounted; this would be our own folder.
        words = f"{what}: it is mounted nowhere on this host ({place!r}): a running container must have it"
        raise StrongroomError(Reason.SourceMissing, words)
    try:
        return os.path.realpath(place, strict=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StrongroomError(Reason.SourceMissing, f"{what}: {place} does not exist") from error
    except OSError as error:
        raise StrongroomError(Reason.ReadFailed, f"{what}: {place}: {error.strerror}") from error


def descend(root: str, rest: str, what: str) -> str:
    """The way below a mount, of which no step is a symbolic link: one inside a container means nothing on the host.

    SourceMissing or InvalidSpec otherwise.
    """
    place = root
    for step in filter(None, rest.split("/")):
        place = posixpath.join(place, step)
        try:
            mode = os.lstat(place).st_mode
        except OSError as error:
            raise StrongroomError(Reason.SourceMissing, f"{what}: {place}: {error.strerror}") from error
        if stat.S_ISLNK(mode):
            words = f"{what}: {place} is a symbolic link: name what it leads to"
            raise StrongroomError(Reason.InvalidSpec, words)
    return place
