"""The cluster's programs, built once for a machine: `python -m tests.cluster.building`, in the background of `make test`."""

import fcntl
import os
import subprocess
from pathlib import Path

from tests.cluster.place import BUILT, find_scripts, is_built, why_not

_LOG = BUILT / "build.log"


class NotBuiltError(Exception):
    """The build failed; the text holds the end of its log."""


def build() -> None:
    """Build what is not there. Takes minutes the first time; safe in many processes at once, which wait for the first."""
    if is_built():
        return
    scripts = find_scripts()
    assert scripts is not None
    BUILT.mkdir(parents=True, exist_ok=True)
    with (BUILT / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_built():
            _build(scripts)


def _build(scripts: Path) -> None:
    environment = {**os.environ, "R": str(BUILT), "J": str(os.cpu_count() or 2)}
    command = ["nice", "-n", "5", "bash", str(scripts / "build.sh")]
    with _LOG.open("wb") as log:
        done = subprocess.run(command, env=environment, stdout=log, stderr=log, check=False)
    if done.returncode or not is_built():
        raise NotBuiltError(_LOG.read_text(errors="replace")[-2000:])


if __name__ == "__main__":
    if reason := why_not():
        print(f"no cluster: {reason}")
    else:
        build()
