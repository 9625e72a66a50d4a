"""Where a store is: two stores of one policy may be one and the same place, and then one disk's death takes both copies."""

import posixpath
from collections.abc import Collection, Iterable, Mapping

from strongroom.api.backupstore import BackupStoreSpec
from strongroom.domain.sites import Cluster, Site

Place = tuple[str, ...]
_OCCUPIED = frozenset(
    [
        "",
        "bin",
        "boot",
        "dev",
        "etc",
        "home",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "opt",
        "proc",
        "root",
        "run",
        "sbin",
        "strongroom",
        "sys",
        "tmp",
        "usr",
        "var",
    ]
)
"""Folders of the worker's image, and those that it makes."""


def place_of(store: BackupStoreSpec) -> Place:
    """What tells apart the stores that are used from one host. SFTP and rsync to one folder of one server are one place."""
    if store.local is not None and store.local.persistent_volume_claim is not None:
        return "claim", store.local.persistent_volume_claim
    if store.local is not None:
        return "local", posixpath.normpath(store.local.path)
    if store.s3 is not None:
        return "s3", store.s3.address.lower(), store.s3.key_prefix
    ssh = store.sftp or store.rsync
    if ssh is None:
        raise ValueError("a store without a type")
    return "ssh", f"{ssh.host.lower()}:{ssh.port}", posixpath.normpath(ssh.path)


def find_twins(names: Iterable[str], stores: Mapping[str, BackupStoreSpec]) -> tuple[str, str] | None:
    """The first two of these stores that are one place."""
    seen: dict[Place, str] = {}
    for name in names:
        if name in stores and (other := seen.setdefault(place_of(stores[name]), name)) != name:
            return other, name
    return None


def share_a_place(
    one: tuple[BackupStoreSpec, Collection[str]], other: tuple[BackupStoreSpec, Collection[str]]
) -> bool:
    """Whether two stores are one place; each comes with the hosts that it is used from.

    A folder is a host's own: the same path on two hosts is two places.
    """
    (first, first_hosts), (second, second_hosts) = one, other
    if place_of(first) != place_of(second):
        return False
    return place_of(first)[0] != "local" or not set(first_hosts).isdisjoint(second_hosts)


def can_be_read(store: BackupStoreSpec, site: Site | None) -> bool:
    """Whether Jobs there can have it at all: a claim is a cluster's, any other folder a host's."""
    if isinstance(site, Cluster):
        return find_local_fault(store) is None
    return store.local is None or store.local.persistent_volume_claim is None


def find_local_fault(store: BackupStoreSpec) -> str | None:
    """What is wrong with a folder as a store for Jobs of a cluster, in words; None for other stores."""
    local = store.local
    if local is None:
        return None
    if local.persistent_volume_claim is None:
        return "a folder of a machine is no store for the cluster's Jobs: name a persistentVolumeClaim"
    top = posixpath.normpath(local.path).split("/")[1]
    if top in _OCCUPIED:
        return f"local.path: the claim is mounted there, and /{top or ''} is the worker's own: choose another, such as /backups"
    return None
