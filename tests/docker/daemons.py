"""containerd and dockerd of one slot, started so that they leave the machine's own Engine, firewall and settings alone."""

import json
import re
import socket
import subprocess
import time
from pathlib import Path

from tests.docker.slot import Slot

_START_SECONDS = 60
_CONTAINERD = """
version = 2
root = "{data}"
state = "{run}/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{socket}"
"""


class NotStartedError(Exception):
    """A daemon did not come up; the text holds the end of its log."""


def prepare_network(slot: Slot) -> None:
    """The default bridge, and a rule that lets containers of one bridge talk although another Engine's policy is to drop."""
    _run("ip", "link", "add", slot.bridge, "type", "bridge")
    _run("ip", "address", "add", f"{slot.gateway}/24", "dev", slot.bridge)
    _run("ip", "link", "set", slot.bridge, "up")
    _run("iptables", "--wait", "--insert", *forward_rule(slot))


def forward_rule(slot: Slot) -> list[str]:
    """A rule's chain and body for iptables."""
    network = str(slot.network)
    return ["FORWARD", "--source", network, "--destination", network, "--jump", "ACCEPT"]


def start_containerd(slot: Slot) -> subprocess.Popen[bytes]:
    """A containerd of our own: two Engines on the machine's one would share its namespace `moby`."""
    settings = slot.run / "containerd.toml"
    settings.write_text(
        _CONTAINERD.format(data=slot.data / "containerd-root", run=slot.run, socket=slot.containerd_socket)
    )
    return _spawn(
        ["containerd", "--config", str(settings)], slot.run / "containerd.log", slot.containerd_socket
    )


def start_dockerd(slot: Slot) -> subprocess.Popen[bytes]:
    """dockerd, answering. Its firewall is off: two Engines in one network namespace flush each other's chains.

    Published ports are then served by docker-proxy, which is enough on loopback.
    """
    # Without a file of its own it would read the machine's /etc/docker/daemon.json.
    settings = slot.run / "daemon.json"
    settings.write_text(json.dumps(_identity(slot)))
    slot.socket.unlink(missing_ok=True)
    command = ["dockerd", "--config-file", str(settings), *_places(slot), *_behaviour(slot)]
    return _spawn(command, slot.run / "dockerd.log", slot.socket)


def _places(slot: Slot) -> list[str]:
    return [
        f"--host=unix://{slot.socket}",
        f"--containerd={slot.containerd_socket}",
        f"--data-root={slot.data / 'docker'}",
        f"--exec-root={slot.run / 'exec'}",
        f"--pidfile={slot.run / 'docker.pid'}",
        f"--bridge={slot.bridge}",
        f"--default-address-pool=base={slot.pool},size=26",
        f"--cgroup-parent=/{slot.name}",
    ]


def _behaviour(slot: Slot) -> list[str]:
    return [
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--ip-masq=false",
        # No name server is reached from here: the name of a stopped service shall fail in a second, not in ten.
        "--dns-opt=timeout:1",
        "--dns-opt=attempts:1",
        "--userland-proxy=true",
        "--exec-opt=native.cgroupdriver=cgroupfs",
        f"--storage-driver={storage_driver(slot.data)}",
        "--shutdown-timeout=5",
    ]


def _identity(slot: Slot) -> dict[str, str]:
    """Engines before 24 derive their id from one key file in /etc, so that two on a machine would share it."""
    version = subprocess.run(["dockerd", "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"version (\d+)\.", version)
    if found and int(found[1]) < 24:
        return {"deprecated-key-path": str(slot.data / "key.json")}
    return {}


def storage_driver(folder: Path) -> str:
    """overlay2 where the kernel lets us mount an overlay over this folder, else vfs, which copies."""
    layers = [folder / "probe" / name for name in ("lower", "upper", "work", "merged")]
    for layer in layers:
        layer.mkdir(parents=True, exist_ok=True)
    lower, upper, work, merged = layers
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    mount = subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", options, merged], check=False, capture_output=True
    )
    if mount.returncode:
        return "vfs"
    _run("umount", str(merged))
    return "overlay2"


def _spawn(command: list[str], log: Path, address: Path) -> subprocess.Popen[bytes]:
    """The daemon in a session of its own, so that a Ctrl-C for the tests is not one for it, with its socket at `address` answering."""
    with log.open("ab") as output:
        daemon = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(address):
        if daemon.poll() is not None or time.monotonic() > deadline:
            daemon.kill()
            daemon.wait()
            raise NotStartedError(f"{command[0]}: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)
    return daemon


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)
