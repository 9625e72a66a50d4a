"""What is done to services around the reading of a source, and always undone."""

from typing import Annotated

from pydantic import Field

from strongroom.api.containers import ContainerSelector
from strongroom.api.fields import Duration, Fields

Argument = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]


class HookCommand(Fields):
    """A command run in a container of the host. It is an argument list: no shell sees it unless it names one."""

    container: ContainerSelector = Field(description="Container that it runs in; it must be running.")
    command: Annotated[list[Argument], Field(min_length=1, max_length=64)] = Field(
        description="Program and arguments, as in an exec probe. Visible to whoever may read the policy: no secrets."
    )
    user: (
        Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_][a-zA-Z0-9_.:-]*$")] | None
    ) = Field(
        default=None, description="User or uid (and :group) in the container. Default: the container's own."
    )
    timeout: Duration = Field(default="5m", description="The command is ended and has failed after this.")


class Hooks(Fields):
    """Around the reading: commands `before`, then services stopped or paused; afterwards all of it undone.

    What runs when the reading begins runs again when it has ended, whatever is killed meanwhile; what was stopped stays stopped.
    A service that someone starts, or removes, while it is read fails the run. Runs that stop the same service take turns.
    """

    before: Annotated[list[HookCommand], Field(max_length=16)] = Field(
        default_factory=list,
        description="Commands run first, in this order. One that fails ends the run before it reads.",
    )
    stop: Annotated[list[ContainerSelector], Field(max_length=32)] = Field(
        default_factory=list,
        description="Services stopped while sources are read, all containers of each: in this order unless compose knows a dependency, and started in the reverse one, when what they depend on is healthy.",
    )
    pause: Annotated[list[ContainerSelector], Field(max_length=32)] = Field(
        default_factory=list,
        description="Services frozen while sources are read (docker pause), all containers of each.",
    )
    stop_timeout: Duration = Field(
        default="30s", description="How long a service may take to stop before it is killed."
    )
    after: Annotated[list[HookCommand], Field(max_length=16)] = Field(
        default_factory=list,
        description="Commands run when services run again, whether the reading succeeded or not, and if a command of before failed. One that fails fails the run. Run at least once: again if it was cut short, when a worker is killed.",
    )
    on_failure: Annotated[list[HookCommand], Field(max_length=16)] = Field(
        default_factory=list,
        description="Commands run, before those of `after`, when the reading failed. At least once, as those.",
    )

    @property
    def selectors(self) -> list[ContainerSelector]:
        """Every container that the hooks touch."""
        commands = [*self.before, *self.after, *self.on_failure]
        return [*self.stop, *self.pause, *(command.container for command in commands)]
