"""Listings of a bucket that are behind, as those of servers are that promise no more than that all will be seen in the end."""

import re
import threading
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

_ENTRY = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)
_KEY = re.compile(rb"<Key>(.*?)</Key>")
_END = b"</ListBucketResult>"


@dataclass
class LateListings:
    """While `hides_new`, nothing is listed that was written since; while `shows_deleted`, what was deleted since still is."""

    hides_new: bool = False
    shows_deleted: bool = False
    _new: set[str] = field(default_factory=set)
    _deleted: set[str] = field(default_factory=set)
    _seen: dict[str, bytes] = field(default_factory=dict)
    """Each key's entry as it was last listed."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def catch_up(self) -> None:
        """All is as it is."""
        self.hides_new = self.shows_deleted = False
        self._new.clear()
        self._deleted.clear()

    def pass_on(self, operation: str, target: str, status: int, content: bytes) -> bytes:
        """What the client hears of an answer. Keys come in path style."""
        url = urlsplit(target)
        key = unquote(url.path).lstrip("/").partition("/")[2]
        with self._lock:
            if status >= 300:
                return content
            if operation in {"PutObject", "CompleteMultipartUpload"} and self.hides_new:
                self._new.add(key)
            elif operation == "DeleteObject" and self.shows_deleted:
                self._deleted.add(key)
            elif operation == "ListObjectsV2":
                return self._listing(parse_qs(url.query).get("prefix", [""])[0], content)
            return content

    def _listing(self, prefix: str, content: bytes) -> bytes:
        def shown(entry: re.Match[bytes]) -> bytes:
            key = _key(entry[0])
            self._seen[key] = entry[0]
            return b"" if key in self._new else entry[0]

        content = _ENTRY.sub(shown, content)
        again = [self._seen[key] for key in self._deleted if key.startswith(prefix) and key in self._seen]
        return content.replace(_END, b"".join(again) + _END)


def _key(entry: bytes) -> str:
    found = _KEY.search(entry)
    assert found is not None
    return unquote(found[1].decode())
