"""`strongroom agent --join`: how a further host gets its credential, and how it keeps the join token out of sight."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

TOKEN_VARIABLE = "STRONGROOM_TOKEN"  # noqa: S105  a name
_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.option(
        "--join",
        "server",
        metavar="URL",
        help="Join the control plane at this URL with a token of `strongroom token`. Once is enough: the credential is kept in --state.",
    ),
    click.option(
        "--token",
        envvar=TOKEN_VARIABLE,
        show_envvar=True,
        help="Join token. Other users of this machine see a command line while it joins: the variable or --token-file hide it.",
    ),
    click.option(
        "--token-file",
        type=click.Path(path_type=Path, allow_dash=True),
        help="File that holds the join token; - is standard input.",
    ),
)


def join_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --join, --token and --token-file to a command with kubeconfig, host_name, namespace and state, and act on them first.

    The command gets `kubeconfig` as it would from --kubeconfig. Must be the decorator nearest to the function.
    """

    @functools.wraps(command)
    def joined(*, server: str | None, token: str | None, token_file: Path | None, **options: Any) -> Any:
        # Workers inherit the environment; they need no token.
        os.environ.pop(TOKEN_VARIABLE, None)
        if options["kubeconfig"] is not None and server is not None:
            raise click.UsageError("--join and --kubeconfig exclude each other")
        if options["kubeconfig"] is None:
            options["kubeconfig"] = _find_credential(server, _read_token(token, token_file), options)
        if token is not None and _is_on_command_line("token"):
            _start_again_without(token)
        return command(**options)

    for option in reversed(_OPTIONS):
        joined = option(joined)
    return joined


def _read_token(token: str | None, token_file: Path | None) -> str | None:
    if token_file is None:
        return token
    if token is not None and _is_on_command_line("token"):
        raise click.UsageError("--token and --token-file exclude each other")
    try:
        with click.open_file(str(token_file)) as file:
            return str(file.read(65_536))
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--token-file {token_file}: {error}") from error


def _find_credential(server: str | None, token: str | None, options: dict[str, Any]) -> Path | None:
    """The kubeconfig to use: of a joining now or before; None when the usual places shall be looked at."""
    from strongroom.agent.joining import JoinRequest, find_joined, find_stored, join
    from strongroom.cli.logs import configure_logging
    from strongroom.kube.joinerrors import JoinFailed

    configure_logging("agent", options["log_format"])
    state: Path = options["state"]
    try:
        if server is None:
            return find_stored(state)
        if token is None:
            return find_joined(state)
        return join(JoinRequest(server, token, options["host_name"], options["namespace"], state))
    except JoinFailed as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.problem.value.exit_code)


def _is_on_command_line(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _start_again_without(token: str) -> None:
    """Become the same command without the token, which is no longer needed, so that `ps` does not show it for years."""
    words = words_without_token(sys.argv[1:], token)
    os.execv(sys.executable, [sys.executable, "-m", "strongroom", *words])  # noqa: S606  our own words, no shell


def words_without_token(words: list[str], token: str) -> list[str]:
    """A command line's words without `--token TOKEN` or `--token=TOKEN`."""
    kept: list[str] = []
    for word in words:
        if word == token and kept and kept[-1] == "--token":
            kept.pop()
        elif word != f"--token={token}":
            kept.append(word)
    return kept
