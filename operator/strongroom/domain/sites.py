"""Where a Job runs: on a Docker host, by its agent; or in the cluster, by the cluster's own Job controller."""

from dataclasses import dataclass

from strongroom.api.conditions import READY, find_condition
from strongroom.api.jobsettings import JobSettings
from strongroom.api.resources import DockerHost

CLUSTER = "(cluster)"
"""In place of a host's name: no DockerHost can have it."""


@dataclass(frozen=True)
class Cluster:
    """The cluster that the operator works for, as a namespace sees it."""

    namespace: str
    defaults: JobSettings
    """Of pods, where a policy says nothing."""
    node: str | None = None
    """The node that a Job should run on: where its volume is in use."""
    reach: tuple[str, ...] = ()
    """Networks that health checks may fetch from."""

    @property
    def key(self) -> tuple[str, str]:
        """As hosts have one."""
        return self.namespace, CLUSTER


Site = DockerHost | Cluster


def is_ready(site: Site) -> bool:
    """Whether the host's agent was alive when last looked. The cluster is: it is what we read this from."""
    if isinstance(site, Cluster):
        return True
    condition = find_condition(site.status.conditions, READY)
    return condition is not None and condition.status == "True"


def describe_site(site: Site) -> str:
    """For people."""
    return "the cluster" if isinstance(site, Cluster) else f"DockerHost {site.meta.name}"
