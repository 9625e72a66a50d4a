"""The names, folders and addresses of one Engine, all from its number, so that what a dead process left can be found again."""

import os
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

SLOTS = 16
# Root's own folder: a predictable name in /tmp could be someone else's. Short: a socket's path ends at 108 characters.
RUN = Path("/run/strongroom-tests")
CACHE = Path(os.environ.get("STRONGROOM_TEST_CACHE", "/var/tmp/strongroom-tests"))
# RFC 2544 keeps 198.18.0.0/15 for tests of devices: no real network is hidden by it.
_NETWORKS = list(IPv4Network("198.18.0.0/16").subnets(new_prefix=20))


@dataclass(frozen=True)
class Slot:
    """One of the places where an Engine can run on this machine."""

    number: int

    @property
    def name(self) -> str:
        return f"strongroom-{self.number}"

    @property
    def lock(self) -> Path:
        """Held by the keeper for as long as it lives."""
        return RUN / f"{self.number}.lock"

    @property
    def run(self) -> Path:
        """Sockets, logs and state that a reboot may lose."""
        return RUN / str(self.number)

    @property
    def socket(self) -> Path:
        return self.run / "docker.sock"

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def data(self) -> Path:
        """Images, containers and volumes."""
        return CACHE / "engines" / str(self.number)

    @property
    def bridge(self) -> str:
        return f"srtest{self.number}"

    @property
    def network(self) -> IPv4Network:
        """All addresses of this Engine's containers and bridges."""
        return _NETWORKS[self.number]

    @property
    def gateway(self) -> str:
        """The machine's address on the default bridge."""
        return str(self.network[1])

    @property
    def pool(self) -> IPv4Network:
        """Where networks that compose makes take their addresses from; apart from the default bridge's."""
        return list(self.network.subnets(new_prefix=21))[1]
