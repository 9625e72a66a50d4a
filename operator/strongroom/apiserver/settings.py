"""How to run the embedded API server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Settings:
    """Everything that one server needs to know. The state folder holds its database, keys, tokens and kubeconfigs."""

    state_dir: Path
    crds: Sequence[Mapping[str, Any]] = ()
    host: str = "127.0.0.1"
    port: int = 0
    """0: the port of the last start, or a free one at the first."""
    names: Sequence[str] = ()
    """Further host names and addresses for the certificate."""
    durable: bool = True
    """An fsync for each commit; only measurements turn it off."""
