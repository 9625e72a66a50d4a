"""The state folder: one lock, one identity, and one folder for each Job under way.

    agent.lock    held for the agent's life
    identity      name under which this folder's agent claims
    alive         touched while the agent's loops go round (pulse.py)
    jobs/<uid>/   plan.json order.json outcome.json hold.json secrets/ scratch/ journal/
                  attempts/<n>/{attempt,mounts,gate}.json passwd gate.log gate/ output/{result.json,progress.jsonl,stderr.log}

A Job's folder is complete once plan.json is there, and removed after the API has its result. All methods block.
"""

import contextlib
import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from strongroom.agent.durable import PRIVATE_FILE, make_folder, remove_tree, write_durably
from strongroom.agent.jobs import UID
from strongroom.agent.records import Attempt, Hold, Outcome, Plan
from strongroom.agent.secretfiles import remove_secrets
from strongroom.api.fields import Fields
from strongroom.api.workorder import WorkOrder

Content = TypeVar("Content", bound=Fields)


class StateTaken(Exception):  # noqa: N818  says what is the matter
    """Another agent uses the state folder."""


class AttemptFolder:
    """The files of one worker."""

    def __init__(self, path: Path) -> None:
        """Nothing is made yet."""
        self.path = path
        self.record = path / "attempt.json"
        self.mounts = path / "mounts.json"
        self.users = path / "passwd"
        self.output = path / "output"
        """All that a worker in a container may write here."""
        self.result = self.output / "result.json"
        self.progress = self.output / "progress.jsonl"
        self.log = self.output / "stderr.log"
        self.gate = path / "gate"
        """Where the gate to the Engine works, and all that the container sees of it."""
        self.gate_socket = self.gate / "docker.sock"
        self.gate_rules = path / "gate.json"
        self.gate_log = path / "gate.log"


class JobFolder:
    """The files of one Job."""

    def __init__(self, path: Path, secrets_path: Path) -> None:
        """Nothing is made yet."""
        self.path = path
        self.secrets = secrets_path
        self.order = path / "order.json"
        self.scratch = path / "scratch"
        self.journal = path / "journal"
        """What workers have done to services and not undone yet; their own to write."""
        self._plan = path / "plan.json"
        self._outcome = path / "outcome.json"
        self._hold = path / "hold.json"
        self._attempts = path / "attempts"

    @property
    def uid(self) -> str:
        """The Job's uid."""
        return self.path.name

    def create(self, plan: Plan, order_text: str | None, outcome: Outcome | None = None) -> None:
        """Make the folder, with the order to carry out or with the outcome of one that will not be. The plan comes last."""
        for folder in (self._attempts, self.scratch, self.journal):
            make_folder(folder)
        if order_text is not None:
            write_durably(self.order, order_text.encode())
        if outcome is not None:
            self.save_outcome(outcome)
        _save(self._plan, plan)

    def plan(self) -> Plan | None:
        """The plan, or None: the folder is not complete, and nothing was started from it."""
        return _load(self._plan, Plan)

    def read_order(self) -> WorkOrder:
        """The order. Raises ValueError when it is not one."""
        return WorkOrder.model_validate_json(self.order.read_bytes())

    def hold(self) -> frozenset[str] | None:
        """Services that no other Job may stop until this one's hooks are undone, if any."""
        found = _load(self._hold, Hold)
        return None if found is None else frozenset(found.services)

    def save_hold(self, services: frozenset[str]) -> None:
        """Write them, before a worker is started that may stop them."""
        _save(self._hold, Hold(services=sorted(services)))

    def remove_hold(self) -> None:
        """Nothing of them is stopped by this Job any more."""
        self._hold.unlink(missing_ok=True)

    def attempt_folder(self, number: int) -> AttemptFolder:
        """Where the files of attempt `number` are."""
        return AttemptFolder(self._attempts / str(number))

    def attempts(self) -> list[Attempt]:
        """The attempts that were begun, in order."""
        numbers = (int(entry.name) for entry in self._attempts.iterdir() if entry.name.isdigit())
        found = [_load(self.attempt_folder(number).record, Attempt) for number in sorted(numbers)]
        return [attempt for attempt in found if attempt is not None]

    def save_attempt(self, attempt: Attempt) -> None:
        """Write an attempt's record."""
        make_folder(self.attempt_folder(attempt.number).output)
        _save(self.attempt_folder(attempt.number).record, attempt)

    def clear_scratch(self) -> None:
        """Empty the folder for temporary files: what a killed worker left is of no use to the next."""
        with contextlib.suppress(OSError):
            remove_tree(self.scratch)
        make_folder(self.scratch)

    def outcome(self) -> Outcome | None:
        """The outcome, once it is decided."""
        return _load(self._outcome, Outcome)

    def save_outcome(self, outcome: Outcome) -> None:
        """Write the decision."""
        _save(self._outcome, outcome)

    def remove(self) -> None:
        """Remove everything of this Job, the secrets first and the plan last."""
        remove_secrets(self.secrets)
        if not self.path.exists():
            return
        for entry in self.path.iterdir():
            if entry.is_dir():
                remove_tree(entry)
            elif entry != self._plan:
                entry.unlink()
        remove_tree(self.path)


class StateFolder:
    """All that an agent keeps."""

    def __init__(self, root: Path, secrets_root: Path | None = None) -> None:
        """`secrets_root`, if given, holds the Jobs' secrets in the place of their folders."""
        # Resolved: the kernel tells the working folders of processes so.
        self._root = root.resolve()
        self._jobs = self._root / "jobs"
        self._secrets_root = secrets_root.resolve() if secrets_root else None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only agent on this folder. Raises StateTaken. The kernel ends the lock with the process."""
        make_folder(self._jobs)
        path = self._root / "agent.lock"
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE), "r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                pid = lock.read().strip()
                raise StateTaken(
                    f"another agent (pid {pid}) uses the state folder {self._root}; give each its own"
                ) from error
            lock.seek(0)
            lock.truncate()
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def identity(self) -> str:
        """The name under which this folder's agents claim, the same after every restart."""
        path = self._root / "identity"
        if not path.exists():
            name = f"{socket.gethostname()[:200]}_{secrets.token_hex(8)}"
            write_durably(path, name.encode())
        return path.read_text().strip()

    def job(self, uid: str) -> JobFolder:
        """The folder of one Job, made or not. Raises ValueError if the uid could name anything else."""
        if not UID.fullmatch(uid):
            raise ValueError(f"{uid!r} is not a uid")
        path = self._jobs / uid
        return JobFolder(path, self._secrets_root / uid if self._secrets_root else path / "secrets")

    def jobs(self) -> list[JobFolder]:
        """The folders of all Jobs under way."""
        return [self.job(entry.name) for entry in self._jobs.iterdir() if UID.fullmatch(entry.name)]


def _save(path: Path, content: Fields) -> None:
    write_durably(path, content.model_dump_json(by_alias=True, exclude_none=True, indent=1).encode())


def _load(path: Path, kind: type[Content]) -> Content | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
