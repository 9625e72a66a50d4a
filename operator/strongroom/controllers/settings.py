"""How to run the operator, and what time it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from strongroom import __version__

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class OperatorSettings:
    """All that one operator process is told. Nothing is read from the environment, but for a missing kubeconfig."""

    identity: str
    """Unique among living processes: it stands in the Lease."""
    kubeconfig: Path | None = None
    """None: $KUBECONFIG, ~/.kube/config, or the pod's own account."""
    namespaces: tuple[str, ...] = ()
    """Namespaces to serve; none means all."""
    lease_namespace: str = "default"
    lease_seconds: int = 15
    """How long a dead leader's Lease keeps others waiting."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0
    """0: a free one."""
    metrics_port_file: Path | None = None
    """Where the port in use is written to."""
    tick_seconds: float = 10.0
    """How often everything is looked at again, at least."""
    resync_seconds: float = 300.0
    """How often everything is listed again, in case that a watch lost something."""
    requests_per_second: float = 100.0
    """How fast the API server is asked at most, once a burst of twice as many is spent; the Lease's renewals excepted."""
    workers: int = 8
    """Reconciles at the same time."""
    worker_image: str = f"strongroom:{__version__}"
    """Image of Jobs that run in containers."""


def system_clock() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)
