"""Which names members of an archive may have: none leads out of the folder, or through anything but folders of the archive itself."""

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.sources.files.naming import OWN_PREFIX
from strongroom.sources.notes import printable

_LONGEST = 1 << 16
_MOST_KEPT = 4_000_000
"""Names of folders and links, some 100 bytes each: more are taken for an attack on our memory."""


def refused(words: str) -> StrongroomError:
    """What is raised for an archive that must not be extracted."""
    return StrongroomError(Reason.ArchiveRefused, f"the archive is refused whole: {words}")


def told(name: bytes) -> str:
    """A member's name for people."""
    return excerpt(printable(name), 150)


def plain_name(name: bytes) -> bytes:
    """The name without `./` in front and a slash at the end; empty for the root. ArchiveRefused for one that is not plain."""
    if not name or len(name) > _LONGEST or b"\0" in name:
        raise refused(f"a member has no name that a file can have ({told(name[:200])!r})")
    if name.startswith(b"/"):
        raise refused(f"{told(name)} has an absolute name")
    plain = b"" if name in {b".", b"./"} else name.removeprefix(b"./").removesuffix(b"/")
    if plain and not _is_plain(plain):
        raise refused(f"{told(name)} has a name that leads elsewhere")
    return plain


def _is_plain(name: bytes) -> bool:
    if b".." in name or b"//" in name or b"/./" in name or name[:1] in b"/." or name.endswith((b"/", b"/.")):
        return all(part not in {b"", b".", b".."} for part in name.split(b"/"))
    return True


class MemberNames:
    """What has come so far, as far as it decides about what may come next: folders, and what is neither folder nor file."""

    def __init__(self, *, leads_folders: bool) -> None:
        """`leads_folders`: every folder is a member before what is in it. Otherwise folders may be known by their contents alone."""
        self._leads_folders = leads_folders
        self._told: set[bytes] = set()
        self._implied: set[bytes] = {b""}
        self._links: set[bytes] = set()

    def add_folder(self, name: bytes) -> None:
        """A member that is a folder."""
        self._look_above(name)
        if name in self._told or name in self._links:
            raise refused(f"{told(name)} is in it twice, the second time as a folder")
        self._implied.discard(name)
        self._told.add(name)
        self._limit()

    def add_file(self, name: bytes) -> None:
        """A member that is a file with content."""
        self._look_above(name)
        self._refuse_known(name)

    def add_other(self, name: bytes) -> None:
        """A member that is a link, a pipe or a device."""
        self.add_file(name)
        self._links.add(name)
        self._limit()

    def refuse_far_link(self, name: bytes, target: bytes) -> None:
        """Raise for a hard link that does not lead to what an earlier member can be."""
        self._look_above(target, f"{told(name)} is a hard link to {told(target)}, which ")
        if target in self._told or target in self._implied or target == name:
            raise refused(f"{told(name)} is a hard link to {told(target)}, which cannot be linked to")

    def _look_above(self, name: bytes, what: str = "") -> None:
        """Every folder above must be one, made by this archive."""
        above = name
        fresh: list[bytes] = []
        while above:
            above = above.rpartition(b"/")[0]
            if above in self._told or above in self._implied:
                break
            if above in self._links or (self._leads_folders or what):
                words = what or f"{told(name)} "
                raise refused(f"{words}lies below {told(above)}, which is no folder of it")
            fresh.append(above)
        self._implied.update(fresh)
        if above == b"" and name.startswith(OWN_PREFIX):
            raise refused(f"{told(name)} bears a name that restores use themselves")

    def _refuse_known(self, name: bytes) -> None:
        if name in self._told or name in self._implied or name in self._links:
            raise refused(f"{told(name)} is in it twice, and not as the same")

    def _limit(self) -> None:
        if len(self._told) + len(self._implied) + len(self._links) > _MOST_KEPT:
            raise refused(f"it holds more than {_MOST_KEPT} folders and links")
