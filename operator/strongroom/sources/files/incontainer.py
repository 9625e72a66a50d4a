"""A tree in a container's own layer: archived by the tar inside it, GNU's or busybox's, as the superuser there."""

import functools
import re
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.api.filesources import FilesSource, OnChange
from strongroom.api.result import VerificationLevel
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.execs import ExecOptions, ExecStream, run_command
from strongroom.sources.files.archiving import OPTIONS
from strongroom.sources.files.checks import FilesCheck, compare_tallies, refuse_empty
from strongroom.sources.files.messages import Messages
from strongroom.sources.files.tarscan import Tally
from strongroom.sources.notes import Notes, printable
from strongroom.sources.reading import Check, Origin, Reading

_SECONDS = 60
_SUPERUSER = "0"
_BUSYBOX_LACKS = (
    "what busybox's tar does not keep: extended attributes, ACLs, holes, and times below a second"
)
_BUSYBOX_ABSENT = re.compile(rb"tar: (.+): No such file or directory")
_BUSYBOX_EPILOGUE = b"tar: error exit delayed from previous errors"
_FINGERPRINT = """
find "$1" -prune -exec stat -c %n {} + | grep -q . || exit 127
find "$1" -exec stat -c '%n %f %s %i %Y %Z' {} + | sha256sum
"""
"""What changes with any file: names, modes, lengths, numbers, times of change. A fingerprint of nothing would never differ: the
path itself must be told first."""


@dataclass(frozen=True)
class Place:
    """A path inside a running container. `marker`: what programs started there bear."""

    engine: Engine
    container: Container
    path: str
    marker: str

    def run(self, *argv: str) -> tuple[int, str]:
        """Exit code and output of a short command there."""
        done = run_command(
            self.engine, self.container, argv, marker=self.marker, timeout_seconds=_SECONDS, user=_SUPERUSER
        )
        return done.exit_code, done.output_excerpt

    def fingerprint(self) -> str:
        """Two are equal when nothing was changed in between, for tars that do not notice."""
        code, said = self.run("sh", "-c", _FINGERPRINT, "fingerprint", self.path)
        if code:
            raise StrongroomError(
                Reason.ClientMissing,
                f"{self.container} has no find and stat, without which its tar cannot be trusted (exit code {code}: {said})",
            )
        return said


@dataclass
class Record:
    """See Account. There is no walk to compare with: that the stream is whole is counted inside the container."""

    source: str
    where: str
    """The place, in the policy's words."""
    allow_empty: bool
    messages: Messages = field(default_factory=Messages)
    held: Tally | None = None

    @property
    def changed(self) -> Notes:
        """See Account."""
        return self.messages.changed

    @property
    def skipped(self) -> Notes:
        """See Account."""
        return self.messages.skipped

    def compare(self, found: Tally) -> None:
        """See Account."""
        if not self.allow_empty:
            refuse_empty(self.source, self.where, found)
        self.held = self.held or found
        compare_tallies(self.source, found, self.held)


@dataclass(frozen=True)
class ContainerReading:
    """See Reading: a tree in a container's own layer."""

    origin: Origin
    place: Place
    is_gnu: bool
    is_folder: bool
    record: Record
    on_change: OnChange
    estimated_bytes: int | None = None

    @property
    def file_name(self) -> str:
        """See Reading."""
        return f"{self.origin.source}.tar"

    def start(self) -> "ContainerStream":
        """See Reading."""
        return ContainerStream(self)

    def start_check(self, level: VerificationLevel) -> Check:  # noqa: ARG002 - a tar stream is read whole at either level
        """See Reading."""
        return FilesCheck(self.record, self.on_change)

    @property
    def command(self) -> list[str]:
        """The program inside the container."""
        folder, _, name = ("", "", "") if self.is_folder else self.place.path.rpartition("/")
        given = ["-C", self.place.path, "."] if self.is_folder else ["-C", folder or "/", f"./{name}"]
        options = ["--quoting-style=c", *OPTIONS] if self.is_gnu else []
        return ["tar", "-c", "-f", "-", *options, *given]


class ContainerStream:
    """See PlainStream."""

    def __init__(self, reading: ContainerReading) -> None:
        """Start tar inside the container."""
        place = reading.place
        options = ExecOptions(user=_SUPERUSER, environment={"LC_ALL": "C"})
        messages = reading.record.messages
        self._reading = reading
        self._before = None if reading.is_gnu else place.fingerprint()
        self._stream = ExecStream(
            place.engine,
            place.container,
            reading.command,
            marker=place.marker,
            options=options,
            hear=messages.hear if reading.is_gnu else functools.partial(hear_busybox, messages),
        )

    def readinto(self, buffer: memoryview) -> int:
        """See PlainStream."""
        return self._stream.readinto(buffer)

    def finish(self) -> None:
        """See PlainStream."""
        code, messages = self._stream.wait(), self._reading.record.messages
        if not messages.explains(code) and not self._is_told_by_busybox(code):
            words = messages.failure or f"exit code {code}: {excerpt(self._stream.errors())}"
            source, container = self._reading.record.source, self._reading.place.container
            raise StrongroomError(Reason.ReadFailed, f"source {source}: tar in {container}: {words}")
        if not messages.changed.count and self._before not in {None, self._reading.place.fingerprint()}:
            messages.changed.add(
                f"{self._reading.place.path}: something in it changed while it was read (busybox's tar does not say what)"
            )

    def _is_told_by_busybox(self, code: int) -> bool:
        messages = self._reading.record.messages
        return not self._reading.is_gnu and code == 1 and messages.failure is None and messages.absent > 0

    def __enter__(self) -> Self:
        """See PlainStream."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See PlainStream."""
        self._stream.__exit__(kind, error, trace)


def hear_busybox(messages: Messages, line: bytes) -> None:
    """Understand a line of what busybox's tar says."""
    words = line.rstrip(b"\n")
    if found := _BUSYBOX_ABSENT.fullmatch(words):
        messages.absent += 1
        messages.changed.add(f"{printable(found[1])}: vanished before it was read")
    elif words and words != _BUSYBOX_EPILOGUE:
        messages.failure = messages.failure or excerpt(printable(words))


def plan_container(source: str, files: FilesSource, place: Place) -> Reading:
    """Look whether path and tar are there.

    Raises SourceMissing, ClientMissing, Unsupported (for patterns), and what `run_command` does.
    """
    what = f"source {source}: files.inContainer"
    if files.include or files.exclude:
        raise StrongroomError(
            Reason.Unsupported,
            f"{what}: {place.path} is in the own layer of {place.container}, where no patterns are known "
            "(files.include, files.exclude): put it on a volume",
        )
    if place.run("test", "-e", place.path)[0]:
        raise StrongroomError(
            Reason.SourceMissing, f"{what}: {place.path} does not exist in {place.container}"
        )
    is_folder = place.run("test", "-d", place.path)[0] == 0
    if not is_folder and place.run("test", "-L", place.path)[0] == 0:
        words = f"{what}: {place.path} in {place.container} is a symbolic link: name what it leads to"
        raise StrongroomError(Reason.InvalidSpec, words)
    version = _find_tar(what, place)
    is_gnu = version.startswith("GNU")
    origin = Origin(
        source=source,
        kind="files",
        database=None,
        client_version=version,
        options=list(OPTIONS) if is_gnu else [],
        not_included=[] if is_gnu else [_BUSYBOX_LACKS],
    )
    record = Record(source, str(files), files.allow_empty)
    return ContainerReading(origin, place, is_gnu, is_folder, record, files.on_change)


def _find_tar(what: str, place: Place) -> str:
    """`GNU tar 1.34`, or `busybox tar`."""
    code, said = place.run("sh", "-c", "tar --version 2>&1 | head -n 1")
    if found := re.search(r"tar \((GNU tar)\) (\d[\w.+-]*)", said):
        return f"{found[1]} {found[2]}"
    if re.search("busybox", said, re.IGNORECASE):
        return "busybox tar"
    words = f"{what}: {place.container} has no tar that is known (exit code {code}: {excerpt(said)})"
    raise StrongroomError(Reason.ClientMissing, words)
