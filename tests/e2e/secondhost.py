"""The agent of another machine, joined by the command that `strongroom token` prints."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.stronghold import eventually


class SecondHost:
    """The agent of another machine, as far as its folder, its command and its Engine go."""

    def __init__(self, folder: Path, engine: str = "unix:///nonexistent/docker.sock") -> None:
        self.state = folder / "agent"
        self.log_file = folder / "agent.log"
        self.engine = engine
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def command(self, printed: list[str]) -> list[str]:
        """The printed command in this checkout, in a folder and with an Engine of the test's own."""
        assert printed[0] == "strongroom"
        own = ["--state", str(self.state), f"--allow-store={tempfile.gettempdir()}", "--engine", self.engine]
        return [sys.executable, "-m", "strongroom", *printed[1:], *own]

    @contextmanager
    def running(self, printed: list[str]) -> Iterator[None]:
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                self.command(printed), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.process = process
        try:
            yield
        finally:
            process.terminate()
            assert process.wait(30) == 0

    def waits_for(self, text: str) -> None:
        eventually(f"the agent says {text!r}", lambda: text in self.log, 60)
