"""Why a host cannot join a control plane: each way has a name, the command's exit code and what to do about it."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class ProblemKind:
    """One row of the table."""

    exit_code: int
    hint: str


_NEW_TOKEN = "On the control plane run `strongroom token HOST`, and join with the new token."  # noqa: S105  says how to get one


class JoinProblem(Enum):
    """A stable word with its row."""

    BadToken = ProblemKind(64, _NEW_TOKEN)
    Unreachable = ProblemKind(
        69, "Check the URL, that `strongroom up` runs there with --bind ADDRESS, and firewalls between."
    )
    WrongAuthority = ProblemKind(
        76, "The token was not sent. Check the URL; if the control plane is new, make a new token there."
    )
    WrongName = ProblemKind(
        77, "Start `strongroom up` with --advertise NAME for the name in the URL, or use one it has."
    )
    ClockSkew = ProblemKind(78, "Set the clock of this machine (NTP), or that of the control plane.")
    Refused = ProblemKind(79, _NEW_TOKEN)
    NotJoined = ProblemKind(80, _NEW_TOKEN)
    StateUnusable = ProblemKind(
        73, "Stop the agent that uses the state folder, or give this one another (--state)."
    )


class JoinFailed(Exception):  # noqa: N818  says what happened
    """A host could not join; the text says what was found."""

    def __init__(self, problem: JoinProblem, message: str) -> None:
        """Keep the problem beside the text."""
        super().__init__(message)
        self.problem = problem

    def __str__(self) -> str:
        """One line: what was found, and what to do."""
        return f"{self.args[0]}. {self.problem.value.hint}"
