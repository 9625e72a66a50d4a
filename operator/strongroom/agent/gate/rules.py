"""What one gate passes: the containers and volumes of one order, by what may be done with each."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Rules:
    """Containers are named by their ids; `names` gives the id of every other name that they go by."""

    engine: str
    """Path of the Engine's socket."""
    socket: str
    """Name of the gate's own, in its working folder."""
    seconds: float
    """The gate ends itself after this, should nobody end it."""
    names: Mapping[str, str]
    inspect: frozenset[str]
    exec: frozenset[str]
    control: frozenset[str]
    """May be stopped, started, paused and unpaused."""
    volumes: frozenset[str]
    drills: Mapping[str, Any] = field(default_factory=dict)
    """Throw-away containers that may be made, by name: each with the very request that makes it. Their names stand in the sets above."""


def read_rules(path: Path) -> Rules:
    """Read what `write_rules` has written. Raises ValueError, KeyError, TypeError for anything else."""
    found = json.loads(path.read_bytes())
    return Rules(
        **found | {name: frozenset(found[name]) for name in ("inspect", "exec", "control", "volumes")}
    )


def rules_text(rules: Rules) -> bytes:
    """For `read_rules`."""
    plain = {name: sorted(v) if isinstance(v, frozenset) else v for name, v in asdict(rules).items()}
    return json.dumps(plain).encode()
