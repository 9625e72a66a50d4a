"""A home for gpg that nobody else uses: its key ring, its calls, and no agent left behind."""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.pipeline.encryption.filtering import Ended, environment, find_program, run_filter
from strongroom.pipeline.pipes import Abandonment
from strongroom.pipeline.sinks import Readable, Sink

_LONGEST_HOME = 80
"""gpg's sockets lie in its home, and the system takes 107 bytes for a socket's path."""
_SHORT = "/tmp"  # noqa: S108  for a link alone, in a folder of our own; TMPDIR may be as long as the scratch folder
_CALL_SECONDS = 60
_SECRET_KEYS_READ = 9
_STATES = {"e": "has expired", "r": "was revoked", "i": "is invalid", "d": "is disabled"}


@dataclass(frozen=True)
class PublicKey:
    """A key in the ring. `trouble` says why gpg cannot encrypt to it, None if it can."""

    fingerprint: str
    trouble: str | None


class GpgHome:
    """One folder with one key ring. The folder is deleted by whoever deletes `scratch`."""

    def __init__(self, scratch: Path) -> None:
        """Make the folder; nothing is in it yet."""
        self._program = find_program("gpg", "encryption.gpg")
        self._folder = Path(tempfile.mkdtemp(prefix="gpg-", dir=scratch))

    def add_keys(self, content: bytes, field: str, *, private: bool = False) -> list[PublicKey]:
        """Put the keys of an export into the ring, and give them. KeyUnusable if there is none, or one of the other sort."""
        with self._used() as home:
            autostart = [] if private else ["--no-autostart"]
            said = self._call(home, [*autostart, "--status-fd", "1", "--import"], content)
            fingerprints = list(
                dict.fromkeys(re.findall(r"^\[GNUPG:\] IMPORT_OK \d+ ([0-9A-F]+)", said, re.MULTILINE))
            )
            if not fingerprints:
                raise StrongroomError(Reason.KeyUnusable, f"{field}: holds no OpenPGP key that gpg can read")
            if _holds_private_key(said) != private:
                other = (
                    "holds no private key"
                    if private
                    else "holds a private key: give the public one (gpg --export --armor)"
                )
                raise StrongroomError(Reason.KeyUnusable, f"{field}: {other}")
            return parse_keys(self._call(home, ["--with-colons", "--list-keys", *fingerprints]))

    def filter(
        self, arguments: Sequence[str], source: Readable, sink: Sink, abandonment: Abandonment
    ) -> Ended:
        """One call that reads a stream and writes one."""
        with self._used() as home:
            return run_filter([*self._command(home), *arguments], source, sink, abandonment)

    def _command(self, home: Path) -> list[str | Path]:
        quiet = ["--batch", "--no-tty", "--quiet", "--trust-model", "always", "--pinentry-mode", "error"]
        return [self._program, "--homedir", home, *quiet]

    def _call(self, home: Path, arguments: Sequence[str], stdin: bytes = b"") -> str:
        try:
            done = subprocess.run(
                [*self._command(home), *arguments],
                input=stdin,
                capture_output=True,
                timeout=_CALL_SECONDS,
                env=environment(),
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StrongroomError(
                Reason.EncryptionFailed, f"gpg {arguments[-1]}: {excerpt(str(error))}"
            ) from error
        return done.stdout.decode(errors="replace")

    @contextmanager
    def _used(self) -> Iterator[Path]:
        """The home under a path that is short enough for sockets; agents that were started in it are ended on leaving."""
        with ExitStack() as opened:
            home = self._folder
            if len(str(home)) > _LONGEST_HOME:
                short = opened.enter_context(tempfile.TemporaryDirectory(prefix="strongroom-", dir=_SHORT))
                home = Path(short, "home")
                home.symlink_to(self._folder)
            opened.callback(self._end_agent, home)
            yield home

    def _end_agent(self, home: Path) -> None:
        if not any(self._folder.glob("S.gpg-agent*")):
            return
        subprocess.run(
            ["gpgconf", "--homedir", home, "--kill", "all"],
            capture_output=True,
            timeout=_CALL_SECONDS,
            env=environment(),
            check=False,
        )


def parse_keys(listing: str) -> list[PublicKey]:
    """The keys of `gpg --with-colons --list-keys` (doc/DETAILS of GnuPG), each with why it cannot be encrypted to."""
    keys: list[PublicKey] = []
    trouble: str | None = None
    is_primary = False
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] in {"pub", "sub"}:
            is_primary = fields[0] == "pub"
        if is_primary and fields[0] == "pub":
            trouble = _trouble(validity=fields[1], capabilities=fields[11])
        elif is_primary and fields[0] == "fpr":
            keys.append(PublicKey(fields[9], trouble))
    return keys


def _trouble(validity: str, capabilities: str) -> str | None:
    if validity in _STATES:
        return _STATES[validity]
    if "D" in capabilities:
        return _STATES["d"]
    return None if "E" in capabilities else "has no key for encryption that is valid now"


def _holds_private_key(said: str) -> bool:
    """By the counts of `--import` (doc/DETAILS of GnuPG, IMPORT_RES)."""
    counts = re.search(r"^\[GNUPG:\] IMPORT_RES ([\d ]+)", said, re.MULTILINE)
    return counts is not None and int(counts[1].split()[_SECRET_KEYS_READ]) > 0
