"""Keys made by the stock tools themselves, and what the stock tools make of a stream."""

import os
import pty
import re
import select
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSPHRASE = 'canary passphrase: it\'s "odd" \\ %s'


def run(*argv: str | Path, stdin: bytes = b"", home: Path | None = None) -> bytes:
    """Standard output; a failure of the program is one of the test."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"} | ({"GNUPGHOME": str(home)} if home else {})
    done = subprocess.run(argv, input=stdin, capture_output=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def converse(
    passphrase: str, argv: Sequence[str | Path], environment: dict[str, str] | None = None
) -> tuple[int, str]:
    """The exit code, and what was said on the terminal, which is all that the program has."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(str(argv[0]), [str(word) for word in argv], environment or dict(os.environ))
    said, answered = b"", 0
    try:
        while ready := select.select([terminal], [], [], 60)[0]:
            try:
                chunk = os.read(terminal, 4096)
            except OSError:  # EIO: it has ended
                break
            if not chunk:
                break
            said += chunk
            asked = len(re.findall(rb"passphrase[^\n:]*: ", said.lower()))
            for _ in range(asked - answered):
                os.write(terminal, f"{passphrase}\n".encode())
            answered = asked
        assert ready, f"no word for a minute: {said!r}"
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode(errors="replace")
    finally:
        os.close(terminal)


@dataclass(frozen=True)
class KeyPair:
    """A public and a private key as their tool exports them."""

    public: str
    private: str


def age_pair() -> KeyPair:
    private = run("age-keygen").decode()
    return KeyPair(run("age-keygen", "-y", stdin=private.encode()).decode().strip(), private)


def ssh_pair(folder: Path, kind: str = "ed25519", passphrase: str = "") -> KeyPair:
    path = Path(tempfile.mkdtemp(dir=folder), "key")
    run("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "admin@example.com", "-f", path)
    return KeyPair(path.with_suffix(".pub").read_text(), path.read_text())


@dataclass(frozen=True)
class GpgRing:
    """A home of the stock gpg. Its path is short: sockets lie in it."""

    home: Path

    def gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        quiet = ["--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        return run("gpg", *quiet, *arguments, stdin=stdin, home=self.home)

    def pair(self, name: str, *generated: str, passphrase: str = "", usage: str = "default") -> KeyPair:
        """`generated`: further options before the command, such as a faked time. Expires after one day with --faked-system-time."""
        address = f"{name} <{name}@example.com>"
        algorithm = "default" if usage == "default" else "rsa2048"
        expires = "1d" if generated else "never"
        self.gpg(
            *generated, "--passphrase", passphrase, "--quick-generate-key", address, algorithm, usage, expires
        )
        public = self.gpg("--armor", "--export", f"={address}").decode()
        private = self.gpg(
            "--armor", "--passphrase", passphrase, "--export-secret-keys", f"={address}"
        ).decode()
        return KeyPair(public, private)

    def fingerprint(self, name: str) -> str:
        listing = self.gpg("--with-colons", "--list-keys", f"={name} <{name}@example.com>").decode()
        return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))


@contextmanager
def gpg_ring() -> Iterator[GpgRing]:
    with tempfile.TemporaryDirectory(prefix="ring-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o700)
        try:
            yield GpgRing(Path(folder))
        finally:
            run("gpgconf", "--kill", "all", home=Path(folder))
