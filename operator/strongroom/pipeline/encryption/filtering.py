"""A program as a filter: a stream in at its stdin, a stream out of its stdout, both at once."""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from strongroom.api.errors import Reason, StrongroomError
from strongroom.pipeline.errands import Errand
from strongroom.pipeline.pipes import Abandonment
from strongroom.pipeline.reading import pump
from strongroom.pipeline.sinks import Readable, Sink
from strongroom.programs.children import Child


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code (negative: a signal) and the end of its stderr."""

    code: int
    errors: str


def find_program(name: str, field: str) -> Path:
    """Where the program is. ClientMissing with `field` (what asks for it) in the text."""
    found = shutil.which(name)
    if found is None:
        raise StrongroomError(Reason.ClientMissing, f"{field}: there is no {name} on the worker's PATH")
    return Path(found)


def environment() -> dict[str, str]:
    """All that a program gets of ours."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def run_filter(
    argv: Sequence[str | Path],
    source: Readable,
    sink: Sink,
    abandonment: Abandonment,
    *,
    descriptors: Sequence[int] = (),
) -> Ended:
    """Feed it the whole source and pass its whole output on. Raises what source and sink raise; the program is ended then.

    It is also ended when the abandonment is asked, as it may hang without reading or writing.
    """
    with (
        Child(argv, environment(), stdin=True, descriptors=descriptors) as child,
        abandonment.waking(child.kill),
    ):
        feeding = Errand("feeding", lambda: _feed(source, child))
        try:
            pump(child, sink)
        except BaseException:
            child.kill()
            feeding.wait()
            raise
        feeding.finish()
        return Ended(child.wait(), child.errors())


def _feed(source: Readable, child: Child) -> None:
    try:
        with suppress(BrokenPipeError):  # it has ended early; its exit code says why
            pump(source, child)
    except BaseException:
        child.kill()
        raise
    finally:
        child.close_stdin()
