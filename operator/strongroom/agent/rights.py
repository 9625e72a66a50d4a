"""What an agent may ask of the API: its Role is written from this, for each host with the host's own names."""

from strongroom.kube import leases
from strongroom.kube.kinds import HOSTS, JOBS, SECRETS, SERVICE_ACCOUNTS
from strongroom.kube.rights import READ, Right, on

SERVED: tuple[Right, ...] = (
    on(JOBS, *READ, "patch"),
    on(JOBS, "patch", sub="status"),
    on(SECRETS, "get"),
)
"""In each namespace whose Jobs it runs."""

HOME: tuple[Right, ...] = (
    on(HOSTS, "get", "create"),
    on(HOSTS, "patch", sub="status"),
    *leases.RIGHTS,
)
"""Besides, in its host's namespace: of its own objects."""

TOKEN: tuple[Right, ...] = (on(SERVICE_ACCOUNTS, "create", sub="token"),)
"""There, too: a new token of its own account before the old one ends."""
