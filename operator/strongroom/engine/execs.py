"""Commands run inside a container to their end, with what they said."""

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.api.errors import Reason, StrongroomError, excerpt
from strongroom.engine.connecting import Engine
from strongroom.engine.containers import Container
from strongroom.engine.ending import build_marker, end_execs
from strongroom.engine.execstreams import ExecOptions, ExecStream

__all__ = ["ExecOptions", "ExecStream", "Finished", "build_marker", "end_execs", "run_command"]


@dataclass(frozen=True)
class Finished:
    """How a command ended, and the end of what it wrote, on one line."""

    exit_code: int
    output_excerpt: str


def run_command(
    engine: Engine,
    container: Container,
    argv: Sequence[str],
    *,
    marker: str,
    timeout_seconds: float,
    user: str | None = None,
) -> Finished:
    """Run it and wait. The container needs `sh`; the command is an argument list, which no shell interprets.

    Raises HookFailed when it takes longer (it is ended then) or its end is not known; ContainerNotFound, EngineUnreachable.
    """
    options = ExecOptions(user=user, measured=False)
    with ExecStream(engine, container, argv, marker=marker, options=options) as stream:
        stream.limit(timeout_seconds)
        try:
            return Finished(stream.wait(), excerpt(stream.errors()))
        except TimeoutError as error:
            words = f"took longer than {timeout_seconds:g} seconds and was ended"
            raise _failure(container, argv, words) from error
        except StrongroomError as error:
            raise _failure(container, argv, error.message) from error


def _failure(container: Container, argv: Sequence[str], words: str) -> StrongroomError:
    return StrongroomError(Reason.HookFailed, f"{container}: {excerpt(' '.join(argv))}: {words}")
