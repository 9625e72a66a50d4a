"""One run of rsync after another, each over a connection of its own."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom.api.backupstore import StoreLimits
from strongroom.programs.children import Child
from strongroom.stores.limits.pulses import Pulse
from strongroom.stores.rsync.failures import Ended, RsyncError, explain_run
from strongroom.stores.rsync.rules import Entry, below, on_the_way, only, parents, parse_listing
from strongroom.stores.ssh.access import ALIAS, Access

_CHUNK_BYTES = 64 << 10
_SENT = "(sent)"
_VANISHED = 24
"""Something was deleted while it was listed: it is not there any more, as the listing says."""
_SILENT = 30
"""What rsync itself says of a timeout."""
_NO_FSYNC = re.compile(r"fsync.*(unknown|invalid|disabled)|(unknown|invalid|disabled)[^\n]*fsync")


@dataclass
class Runs:
    """Everything that is asked of the server. Every wait ends after `patience.silence_seconds` without a byte: exit code 30."""

    access: Access
    limits: StoreLimits
    pulse: Pulse
    syncs: bool = True
    """Whether both rsyncs know `--fsync`, as far as is known."""

    @property
    def root(self) -> str:
        """The store's folder, with its final slash."""
        return f"{self.access.server.path.rstrip('/')}/"

    @contextmanager
    def place(self) -> Iterator[Path]:
        """A folder of the scratch space for a moment."""
        made = Path(tempfile.mkdtemp(dir=self.access.folder))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def entries(self, rules: str) -> list[Entry]:
        """What the rules leave. Symbolic links are told, not followed."""
        try:
            output = self._run(
                ["--recursive", "--list-only", "--no-human-readable"], rules, f"{ALIAS}:{self.root}"
            )
        except _VanishedError as error:
            output = error.output
        return parse_listing(output)

    def look(self, key: str) -> list[Entry]:
        """The key, where there is one, and the folders that it is in, or what is in their place."""
        return self.entries(on_the_way(key))

    def below(self, folder: str) -> list[Entry]:
        """Everything in a folder, and the folders that it is in."""
        return self.entries(below(folder))

    def make_folder(self, folder: str) -> None:
        """Make it with all that it is in."""
        with self.place() as skeleton:
            (skeleton / folder).mkdir(mode=0o700, parents=True)
            for each in (*parents(folder), folder):
                (skeleton / each).chmod(0o700)
            self._run(["--recursive"], "", f"{skeleton}/", f"{ALIAS}:{self.root}")

    def fetch(self, key: str, place: Path) -> Path | None:
        """Bring the whole file here; where it is now, or None when there is none."""
        options = [
            "--recursive",
            "--whole-file",
            "--info=progress2",
            *self._rate(self.limits.download_bytes_per_second),
        ]
        self._run(options, only([key]), f"{ALIAS}:{self.root}", f"{place}/", to_here=True)
        return place / key if (place / key).is_file() else None

    def send(self, file: Path, folder: str, unfinished: str) -> bool:
        """Send a file into a folder under its own name, if nobody has it; whether it was sent. It comes into being in `unfinished`."""
        waiting = f"{self.root}{unfinished}"
        options = [
            "--ignore-existing",
            f"--temp-dir={waiting}",
            f"--partial-dir={waiting}",
            "--info=progress2",
            f"--out-format={_SENT}",
            *self._rate(self.limits.upload_bytes_per_second),
        ]
        words = [str(file), f"{ALIAS}:{self.root}{folder}"]
        if self.syncs:
            try:
                return _SENT.encode() in self._run([*options, "--fsync"], "", *words)
            except RsyncError as error:
                if not _NO_FSYNC.search(error.said):
                    raise
                self.syncs = False
        return _SENT.encode() in self._run(options, "", *words)

    def holds(self, file: Path, folder: str) -> bool:
        """Whether the file there has the very bytes of the one here."""
        options = ["--checksum", "--dry-run", f"--out-format={_SENT}"]
        return _SENT.encode() not in self._run(options, "", str(file), f"{ALIAS}:{self.root}{folder}")

    def remove(self, names: Sequence[str], trees: Sequence[str], most: int) -> None:
        """Delete these names and trees, and the folders on the way that become empty: `most` in all, whatever the rules say."""
        with self.place() as empty:
            options = ["--recursive", "--delete", f"--max-delete={most}"]
            self._run(options, only(names, trees), f"{empty}/", f"{ALIAS}:{self.root}")

    def _rate(self, bytes_per_second: int | None) -> list[str]:
        return [] if bytes_per_second is None else [f"--bwlimit={max(1, bytes_per_second // 1024)}"]

    def _run(self, options: Sequence[str], rules: str, *places: str, to_here: bool = False) -> bytes:
        argv = [
            str(self.access.program("rsync")),
            "--rsh",
            f"ssh -F '{self.access.config}'",
            f"--timeout={max(1, int(self.access.patience.silence_seconds))}",
            "--8-bit-output",
            *options,
        ]
        with self.place() as folder:
            if rules:
                (folder / "rules").write_bytes(os.fsencode(rules))
                argv.append(f"--include-from={folder / 'rules'}")
            ended = self._end([*argv, *places])
        if ended.code == _VANISHED and not to_here:
            raise _VanishedError(ended, explain_run(ended, self.access, to_here=to_here))
        if ended.code != 0:
            raise explain_run(ended, self.access, to_here=to_here)
        return ended.output

    def _end(self, argv: Sequence[str]) -> Ended:
        output = bytearray()
        with Child(argv, self.access.environment) as child:
            seconds = self.access.patience.silence_seconds
            while child.has_output_within(seconds):
                if not (chunk := child.read(_CHUNK_BYTES)):
                    break
                self.pulse.beat()
                output += chunk
            else:  # `--timeout` does not end a sender whose ssh takes nothing any more
                child.kill()
                return Ended(_SILENT, bytes(output), f"{child.errors()}not a word in {seconds:g} s")
            return Ended(child.wait(), bytes(output), child.errors())


class _VanishedError(RsyncError):
    def __init__(self, ended: Ended, error: RsyncError) -> None:
        super().__init__(error.reason, error.message, ended)
        self.output = ended.output
