"""What an agent is told at its start."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from strongroom.agent.allowances import OWN_IMAGE, Allowances

Isolation = Literal["auto", "container", "process"]


@dataclass(frozen=True)
class Limits:
    """What one worker in a container may use."""

    memory_bytes: int = 2**30
    cpus: float = 2.0
    """Cores; more than the machine has means all of them."""
    cpu_shares: int = 512
    """Weight when the machine is busy; other containers have 1024."""
    blkio_weight: int = 250
    """Weight of disk I/O, where the kernel supports it; other containers have 500."""
    processes: int = 256


@dataclass(frozen=True)
class Timing:
    """How often and how long, in seconds. The defaults are the promises; tests shorten them."""

    lease_seconds: int = 40
    renew_seconds: float = 10
    heartbeat_seconds: float = 60
    engine_seconds: float = 20
    """Between two looks at what the Docker Engine holds."""
    progress_seconds: float = 5
    pass_seconds: float = 30
    kill_grace_seconds: float = 20
    """Between SIGTERM and SIGKILL: a worker ends its children and removes its temporary files."""
    retry_seconds: float = 10
    longest_retry_seconds: float = 360
    """The first and the longest pause between attempts, doubling between them, as the Job controller does."""
    undo_seconds: float = 60
    """How long a result waits for hooks to be undone. It is delivered then, and undoing goes on."""
    longest_api_pause_seconds: float = 30
    """Between two tries to deliver a result to an API server that is down."""


@dataclass(frozen=True)
class AgentSettings:
    """One agent: which DockerHost it is, whom it serves, and where it keeps what must survive it."""

    kubeconfig: Path | None
    host_name: str
    state_dir: Path
    namespace: str = "default"
    """Of the DockerHost; always served."""
    served_namespaces: tuple[str, ...] = ()
    """Other namespaces whose Jobs this machine accepts. Decided here, on the machine, and not through the API."""
    secrets_dir: Path | None = None
    """Where Secrets lie while a worker needs them, for instance on a tmpfs. Default: in the Job's folder."""
    max_jobs: int = 2
    identity: str | None = None
    """Name under which Lease and Jobs are claimed. It must outlive a restart; default: one kept in the state folder."""
    worker_command: tuple[str, ...] = field(default=(sys.executable, "-m", "strongroom", "worker"))
    engine_url: str | None = None
    """The Docker Engine of this machine. Default: $DOCKER_HOST, else the system's socket."""
    isolation: Isolation = "auto"
    """How workers run; `auto`: in containers where the Engine answers and holds the worker's image, else as processes."""
    worker_image: str = OWN_IMAGE
    """The image that belongs to this agent; always allowed."""
    allowed: Allowances = field(default_factory=Allowances)
    limits: Limits = field(default_factory=Limits)
    drain: bool = False
    """On SIGTERM, wait for running Jobs instead of leaving their workers to be adopted."""
    timing: Timing = field(default_factory=Timing)

    @property
    def own_folders(self) -> list[Path]:
        """Where the agent keeps what decides about it."""
        return [self.state_dir, *([self.secrets_dir] if self.secrets_dir else [])]

    def serves(self, namespace: str) -> bool:
        """Whether Jobs of that namespace may run here."""
        return namespace == self.namespace or namespace in self.served_namespaces
