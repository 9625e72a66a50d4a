"""A worker that does as its order's policy is called: a real process, with no backup in it.

Usage: fake_worker.py NOTES --order FILE --secrets DIR --result FILE --scratch DIR
Each start appends its pid to NOTES/<run uid>; a file NOTES/<run uid>.go lets `wait` succeed.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

NOTES = Path(sys.argv[1])
ROLLS_BACK = "--roll-back" in sys.argv
WORDS = [word for word in sys.argv[2:] if word != "--roll-back"]
PATHS = dict(zip(WORDS[::2], map(Path, WORDS[1::2]), strict=True))
ORDER = json.loads(PATHS["--order"].read_bytes())
RUN = ORDER["runUid"]
BEHAVIOUR = ORDER["backup"]["policy"] if "backup" in ORDER else ORDER["restore"]["choice"]["policy"]
STARTED = datetime.now(UTC).isoformat()


def main() -> int:
    with (NOTES / RUN).open("a") as notes:
        notes.write(f"{os.getpid()}\n")
    claim_the_run()
    say_progress(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(finish("Failed", "Cancelled", "asked to end")))
    if ROLLS_BACK:
        return roll_back()
    return BEHAVIOURS[BEHAVIOUR](len((NOTES / RUN).read_text().split()))


def claim_the_run() -> None:
    """Hold a lock while this process lives; note it for ever if another worker of the run holds it."""
    lock = os.open(NOTES / f"{RUN}.lock", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        (NOTES / f"{RUN}.overlap").touch()


def roll_back() -> int:
    """Waits until it is let go, and fails as often as its file of failures says."""
    with (NOTES / f"{RUN}.back").open("a") as notes:
        notes.write(f"{os.getpid()}\n")
    while not (NOTES / f"{RUN}.go").exists():
        time.sleep(0.05)
    failures = NOTES / f"{RUN}.failures"
    if failures.exists() and len((NOTES / f"{RUN}.back").read_text().split()) <= int(failures.read_text()):
        return finish("Failed", "RollBackFailed", "the disk is away", retryable=True)
    return finish("Succeeded", "Succeeded", "the old state is back", restore={"rolledBack": True})


def succeed(_: int) -> int:
    return finish("Succeeded", "Succeeded", "")


def slow(attempt: int) -> int:
    time.sleep(0.7)
    return succeed(attempt)


def refused(_: int) -> int:
    return finish("Failed", "AuthenticationFailed", "role app was refused")


def unreachable(_: int) -> int:
    return finish("Failed", "SourceUnreachable", "no route", retryable=True)


def second_time(attempt: int) -> int:
    return unreachable(attempt) if attempt == 1 else succeed(attempt)


def wait(attempt: int) -> int:
    while not (NOTES / f"{RUN}.go").exists():
        time.sleep(0.05)
        say_progress(int(time.monotonic() * 1000))
    return succeed(attempt)


def stubborn(_: int) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note_child()
    time.sleep(600)
    return 0


def die(_: int) -> int:
    note_child()
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def garbage(_: int) -> int:
    PATHS["--result"].write_text("{not json")
    return 0


def stranger(_: int) -> int:
    return finish("Succeeded", "Succeeded", "", run="another-run")


def spill(attempt: int) -> int:
    """Says its secrets wherever it can."""
    secrets = " ".join(f.read_text() for f in PATHS["--secrets"].glob("*/*"))
    modes = [oct(f.stat().st_mode & 0o777) for f in PATHS["--secrets"].rglob("*")]
    (NOTES / f"{RUN}.modes").write_text(" ".join(sorted(modes)))
    say_progress(7, database=secrets)
    while not (NOTES / f"{RUN}.go").exists():
        time.sleep(0.05)
    if attempt == 1:
        sys.stderr.write(f"Traceback: {secrets}\n")
        return 1
    return finish("Failed", "DumpFailed", f"pg_dump said: {secrets}")


def say_progress(read_bytes: int, **more: str) -> None:
    line = {"stage": "Dump", "readBytes": read_bytes, "time": datetime.now(UTC).isoformat(), **more}
    sys.stdout.write(f"not progress\n{json.dumps(line)}\n")
    sys.stdout.flush()


def note_child() -> None:
    """Start a child that nobody ends."""
    (NOTES / f"{RUN}.child").write_text(str(subprocess.Popen(["sleep", "600"]).pid))


def told(_: int) -> int:
    return finish("Failed", "RestoreFailed", "no", restore={"rolledBack": False})


def finish(
    outcome: str, reason: str, message: str, *, retryable: bool = False, run: str = RUN, **more: object
) -> int:
    result = {
        "runUid": run,
        "outcome": outcome,
        "reason": reason,
        "message": message,
        "retryable": retryable,
        "startedAt": STARTED,
        "finishedAt": datetime.now(UTC).isoformat(),
        **more,
    }
    temporary = PATHS["--result"].with_suffix(".tmp")
    temporary.write_text(json.dumps(result))
    temporary.rename(PATHS["--result"])
    return 0 if outcome == "Succeeded" else 1


BEHAVIOURS = {
    "succeed": succeed,
    "slow": slow,
    "refused": refused,
    "unreachable": unreachable,
    "second-time": second_time,
    "wait": wait,
    "stubborn": stubborn,
    "die": die,
    "garbage": garbage,
    "stranger": stranger,
    "spill": spill,
    "told": told,
}
sys.exit(main())
