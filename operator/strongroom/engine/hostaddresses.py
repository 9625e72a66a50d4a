"""Which addresses are this machine's own, or its containers': what a health check may reach without being allowed more. Blocks."""

import socket
from ipaddress import ip_address

from strongroom.engine.connecting import Engine
from strongroom.engine.failures import engine_failures

_BRIDGED = "bridge"
"""Networks of other drivers reach beyond the machine: the addresses of a macvlan are those of its neighbours."""


def find_addresses(host: str, port: int) -> list[str]:
    """What a name or address leads to now, without scope; nothing where it cannot be resolved."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))


def is_own_address(address: str) -> bool:
    """Whether this machine itself has the address: only then can a socket be bound to it."""
    parsed = ip_address(address)
    if parsed.is_loopback:
        return True
    if parsed.is_unspecified or parsed.is_multicast:
        return False
    family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def list_container_networks(engine: Engine) -> list[str]:
    """Subnets that containers of this machine, and nobody else, have addresses in. Raises EngineUnreachable."""
    with engine_failures(engine):
        found = engine.api.networks()
    ranges = [
        part.get("Subnet")
        for network in found
        if network.get("Driver") == _BRIDGED
        for part in (network.get("IPAM") or {}).get("Config") or []
    ]
    return sorted({str(each) for each in ranges if each})
