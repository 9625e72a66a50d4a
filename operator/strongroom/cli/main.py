"""The command `strongroom`: its subcommands, each loaded only when it is called, so that a worker starts light."""

import importlib

import click

from strongroom import __version__

_COMMANDS: dict[str, str] = {
    "up": "strongroom.cli.up:up",
    "status": "strongroom.cli.status:status",
    "backup": "strongroom.cli.backup:backup",
    "restore": "strongroom.cli.restore:restore",
    "artifacts": "strongroom.cli.artifacts:artifacts",
    "stores": "strongroom.cli.stores:stores",
    "catalogue": "strongroom.cli.catalogue:catalogue",
    "keys": "strongroom.cli.keys:keys",
    "token": "strongroom.cli.token:token",
    "discover": "strongroom.cli.discover:discover",
    "doctor": "strongroom.cli.doctor:doctor",
    "crds": "strongroom.cli.crds:crds",
    "apiserver": "strongroom.cli.parts:apiserver",
    "operator": "strongroom.cli.parts:operator",
    "agent": "strongroom.cli.parts:agent",
    "worker": "strongroom.cli.parts:worker",
}


class _LazyGroup(click.Group):
    """A group whose commands are imported by name: the help lists them in the order above."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's signature)
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name].split(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{_COMMANDS[cmd_name]} is not a command")
        return command


@click.group(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="strongroom")
def main() -> None:
    """Backups for Docker hosts, declared as custom resources.

    \b
    Start everything on this host, then talk to it with kubectl:
      strongroom up --state /var/lib/strongroom
      export KUBECONFIG=/var/lib/strongroom/kubeconfig
      kubectl apply -f policy.yaml
      strongroom status
    """
