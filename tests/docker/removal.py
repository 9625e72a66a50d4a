"""Everything of one slot ended and removed, also what a killed keeper left: found by the slot's own paths and addresses."""

import json
import os
import shutil
import signal
import subprocess
import time
from ipaddress import IPv4Address
from pathlib import Path

from tests.docker.daemons import forward_rule
from tests.docker.slot import Slot

_CGROUPS = Path("/sys/fs/cgroup")
# Only these are ended for naming a slot's folder: an editor or a pager may name it too.
_PROGRAMS = {"dockerd", "containerd", "containerd-shim", "containerd-shim-runc-v2", "runc"}


def remove(slot: Slot) -> None:
    """Idempotent. Order matters: processes hold mounts, mounts hold folders."""
    _end_processes(slot)
    _unmount(slot)
    _remove_network(slot)
    _remove_cgroups(slot)
    for address in slot.run.glob("containerd/io.containerd.runtime.v2.task/*/*/address"):
        # A shim's socket lies in /run/containerd, outside of our folders.
        Path(address.read_text().removeprefix("unix://")).unlink(missing_ok=True)
    for folder in (slot.run, slot.data):
        shutil.rmtree(folder, ignore_errors=True)


def _end_processes(slot: Slot) -> None:
    """Daemons first, so that nothing starts anew; then the shims' containers, and the shims."""
    daemons = [pid for pid in _pids_naming(f"{slot.run}/") if not _is_shim(pid)]
    _kill(daemons)
    shims = _pids_naming(f"{slot.run}/")
    containers = [child for shim in shims for child in _descendants(shim)]
    _kill([*containers, *shims])


def _pids_naming(text: str) -> list[int]:
    """Processes, not us, with the text in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        if pid != os.getpid() and text in _command_line(pid) and _program(pid) in _PROGRAMS:
            found.append(pid)
    return found


def _program(pid: int) -> str:
    return Path(_command_line(pid).split("\0")[0]).name


def _is_shim(pid: int) -> bool:
    return _program(pid).startswith("containerd-shim")


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def _descendants(pid: int) -> list[int]:
    try:
        tasks = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    children = [int(child) for task in tasks for child in task]
    return [*children, *(below for child in children for below in _descendants(child))]


def _kill(pids: list[int]) -> None:
    """Killed, and gone or waiting only for their parent."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + 60
    while any(_lives(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _unmount(slot: Slot) -> None:
    """Raises where something stays mounted: to remove the folders then could remove files of the machine behind a bind."""
    for place in reversed(_mounts(slot)):
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
    if left := _mounts(slot):
        raise RuntimeError(f"still mounted: {left}")


def _mounts(slot: Slot) -> list[str]:
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [place for place in places if place.startswith((f"{slot.run}/", f"{slot.data}/"))]


def _remove_network(slot: Slot) -> None:
    """The bridges, those of compose projects too, and the firewall's rule."""
    listing = subprocess.run(["ip", "-json", "-4", "address"], check=True, capture_output=True).stdout
    for link in json.loads(listing):
        addresses = [entry.get("local") for entry in link.get("addr_info", [])]
        if any(IPv4Address(address) in slot.network for address in addresses if address):
            subprocess.run(["ip", "link", "delete", link["ifname"]], check=False, capture_output=True)
    delete = ["iptables", "--wait", "--delete", *forward_rule(slot)]
    while subprocess.run(delete, check=False, capture_output=True).returncode == 0:
        pass


def _remove_cgroups(slot: Slot) -> None:
    """Version 1 has a tree for each controller, version 2 one."""
    for tree in [_CGROUPS / slot.name, *_CGROUPS.glob(f"*/{slot.name}")]:
        for folder, _, _ in os.walk(tree, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:
                continue
