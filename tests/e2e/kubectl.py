"""The real kubectl, and our own command, against some API server: what the stories are told with."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.reading import NotReadError, read

KUBECTL = Path(sys.executable).parent / "kubectl"


def eventually(what: str, check: Callable[[], Any], seconds: float = 120.0, every: float = 0.2) -> Any:
    """The first true answer of `check`; fails with its last answer when the time is over."""
    deadline = time.monotonic() + seconds
    answer: Any = None
    while time.monotonic() < deadline:
        answer = check()
        if answer:
            return answer
        time.sleep(every)
    raise AssertionError(f"{what}: not within {seconds} s; last answer {answer!r}")


class Plane:
    """An API server as somebody at a terminal uses it."""

    kubeconfig: Path
    """With a token, as ours are."""
    home: Path
    """Where programs keep their caches."""

    @property
    def environment(self) -> dict[str, str]:
        """For programs of this plane."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig)}

    def command(self, *arguments: str) -> list[str]:
        """A command line of kubectl."""
        return [str(KUBECTL), *arguments]

    def kubectl(
        self, *arguments: str, text: str | None = None, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            self.command(*arguments),
            input=text,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done

    def strongroom(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "strongroom", *arguments],
            env={**self.environment, "COLUMNS": "160"},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl(
            "apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        )

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return read(self.kubeconfig, kind, name)

    def try_get(self, kind: str, name: str) -> dict[str, Any] | None:
        try:
            return read(self.kubeconfig, kind, name)
        except NotReadError:
            return None

    def items(self, kind: str, selector: str | None = None) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = read(self.kubeconfig, kind, selector=selector)["items"]
        return answer

    def when(
        self, kind: str, name: str, type_: str, status: str = "True", seconds: float = 120
    ) -> dict[str, Any]:
        """The object once its condition has that status."""

        def so() -> dict[str, Any] | None:
            body = self.try_get(kind, name)
            return body if body and condition(body, type_).get("status") == status else None

        body: dict[str, Any] = eventually(f"{kind} {name} has {type_}={status}", so, seconds)
        return body

    def finished_run(self, name: str, seconds: float = 240) -> dict[str, Any]:
        """The run once its phase is terminal."""

        def terminal() -> dict[str, Any] | None:
            run = self.try_get("backuprun", name)
            return (
                run
                if run and run.get("status", {}).get("phase") in {"Succeeded", "Partial", "Failed", "Skipped"}
                else None
            )

        finished: dict[str, Any] = eventually(f"backuprun {name} ends", terminal, seconds)
        return finished


def condition(body: dict[str, Any], type_: str) -> dict[str, Any]:
    """The condition of that type, or an empty one."""
    return next((c for c in body.get("status", {}).get("conditions", []) if c["type"] == type_), {})
