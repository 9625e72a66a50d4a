"""One command of the hooks, run in its container."""

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.fields import parse_duration
from strongroom.api.hooks import HookCommand
from strongroom.engine.connecting import Engine, connect_engine
from strongroom.engine.containers import find_container
from strongroom.engine.execs import run_command


def run_hook(engine: Engine, command: HookCommand, place: str, *, marker: str) -> None:
    """Run it to its end; `place` is its field in the policy.

    Raises HookFailed when it ends with anything but 0 or takes too long; ContainerNotFound, ContainerAmbiguous, EngineUnreachable.
    """
    container = find_container(engine, command.container, place)
    seconds = parse_duration(command.timeout).total_seconds()
    try:
        finished = run_command(
            engine, container, command.command, user=command.user, timeout_seconds=seconds, marker=marker
        )
    except StrongroomError as error:
        # If it was cut because the Engine went away, that is the matter, and it may be run again: this raises then.
        connect_engine(engine.url)
        raise StrongroomError(error.reason, f"{place}: {error.message}") from error
    if finished.exit_code != 0:
        said = f": {finished.output_excerpt}" if finished.output_excerpt else ""
        raise StrongroomError(
            Reason.HookFailed,
            f"{place}: {command.command[0]} in {container} ended with exit code {finished.exit_code}{said}",
        )
