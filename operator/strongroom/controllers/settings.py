"""How to run the operator, and what time it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import yaml
from pydantic import ValidationError

from strongroom import __version__
from strongroom.api.jobsettings import JobSettings
from strongroom.api.resources import describe

Clock = Callable[[], datetime]
WORKER_IMAGE = f"strongroom:{__version__}"
"""Operator and worker are of one version."""
REACH = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
"""Private networks, as those of pods and Services are; not the address by which clouds hand out credentials."""


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
    requests_per_second: float = 200.0
    """How fast the API server is asked at most, once a burst of twice as many is spent; the Lease's renewals excepted."""
    workers: int = 8
    """Reconciles at the same time."""
    worker_image: str = WORKER_IMAGE
    """Image of Jobs that run in containers."""
    job_defaults: JobSettings = field(default_factory=JobSettings)
    """The pods of Jobs that a cluster runs, where a policy says nothing."""
    reach: tuple[str, ...] = REACH
    """Networks that health checks of restores may fetch from, where a cluster runs them."""


def read_job_defaults(path: Path | None) -> JobSettings:
    """The settings in a file of YAML or JSON. Raises SettingsError, which names file and field."""
    if path is None:
        return JobSettings()
    try:
        said = yaml.safe_load(path.read_text()) or {}
        unknown = sorted(set(said) - {info.alias or name for name, info in JobSettings.model_fields.items()})
        if unknown:
            raise SettingsError(f"--job-defaults {path}: unknown field {', '.join(map(str, unknown))}")
        return JobSettings.model_validate(said)
    except ValidationError as error:
        raise SettingsError(f"--job-defaults {path}: {describe(error, 'job')}") from error
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise SettingsError(f"--job-defaults {path}: {error}") from error


class SettingsError(Exception):
    """What an operator was told makes no sense."""


def system_clock() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)
