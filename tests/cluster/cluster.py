"""A cluster with the operator in it, and rooms (namespaces) of it for the stories."""

import base64
import fcntl
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.chart.installing import Helm, chart_for
from tests.cluster.place import VOLUMES
from tests.docker.slot import CACHE
from tests.e2e.kubectl import Plane

from strongroom.kube.kubeconfigs import Credential, build_kubeconfig

OPERATOR = "deployment/strongroom-operator"
HOME_NAMESPACE = "strongroom"
_TICK_SECONDS = 1


@dataclass(frozen=True)
class Cluster(Plane):
    """Its administrator's view."""

    kubeconfig: Path
    home: Path
    worker_image: str
    postgres_image: str
    address: str | None
    """This machine's, as pods see it; None where they do not."""
    is_own: bool
    """Whether it is the node on this machine, which tests may kill."""

    @cached_property
    def minor(self) -> int:
        """Of its version 1.N."""
        version = json.loads(self.kubectl("version", "--output=json").stdout)["serverVersion"]
        return int(version["minor"].rstrip("+"))

    @contextmanager
    def room(self, name: str) -> Iterator["Room"]:
        """A new namespace, deleted at the end; deleting it takes a while, and nobody waits."""
        namespace = f"{name}-{secrets.token_hex(3)}"
        account = f"{namespace}:administrator"
        self.kubectl("create", "namespace", namespace)
        self.kubectl("create", "serviceaccount", "administrator", "--namespace", namespace)
        bind = ("create", "clusterrolebinding", namespace, "--clusterrole=cluster-admin")
        self.kubectl(*bind, f"--serviceaccount={account}")
        config = self.home / f"{namespace}.kubeconfig"
        config.write_bytes(build_kubeconfig(self._credential(namespace)))
        try:
            yield Room(self, namespace, config)
        finally:
            self.kubectl("delete", "clusterrolebinding", namespace)
            self.kubectl("delete", "namespace", namespace, "--wait=false")

    def _credential(self, namespace: str) -> Credential:
        """Of the namespace's own administrator, whatever kind of login the given kubeconfig has."""
        words = ("create", "token", "administrator", "--namespace", namespace, "--duration=2h")
        token = self.kubectl(*words).stdout.strip()
        shown = self.kubectl("config", "view", "--minify", "--flatten", "--raw", "--output=json").stdout
        server = json.loads(shown)["clusters"][0]["cluster"]
        authority = base64.b64decode(server["certificate-authority-data"])
        return Credential(server["server"], authority, "administrator", token, namespace)

    def make_claim(self, namespace: str, name: str) -> None:
        """A claim that is bound once it is used. The node on this machine makes no volumes: it gets one in a folder."""
        claim: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
        }
        if self.is_own:
            claim["spec"] |= {"storageClassName": "", "volumeName": f"{namespace}-{name}"}
            folder = VOLUMES / namespace / name
            folder.mkdir(parents=True)
            # As provisioners of folders leave them: kubelet gives no folder of its node to a pod's group.
            folder.chmod(0o777)
            self.apply(_folder_volume(folder))
        self.apply(claim)

    def operator_log(self) -> str:
        return self.kubectl("logs", "--namespace", HOME_NAMESPACE, OPERATOR, "--tail=200").stdout


@dataclass(frozen=True)
class Room(Plane):
    """One namespace, as its administrator sees it."""

    cluster: Cluster
    namespace: str
    kubeconfig: Path

    @property
    def home(self) -> Path:
        return self.cluster.home


def install(cluster: Cluster) -> None:
    """By the chart. Idempotent, safe in several processes."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        helm = Helm(cluster.kubeconfig, cluster.home)
        helm.install(chart_for(cluster.minor, cluster.home), chart_values(cluster))


def chart_values(cluster: Cluster) -> dict[str, Any]:
    """The image of the tests and a quicker tick; everything else is the chart's default."""
    name, _, tag = cluster.worker_image.rpartition(":")
    return {"image": {"repository": name, "tag": tag}, "extraArgs": [f"--tick-seconds={_TICK_SECONDS}"]}


def _folder_volume(place: Path) -> dict[str, Any]:
    namespace, name = place.parent.name, place.name
    folder = {"path": str(place), "type": "Directory"}
    claim = {"namespace": namespace, "name": name}
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "64Mi"}, "hostPath": folder}
    meta = {"name": f"{namespace}-{name}"}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": meta,
        "spec": {**spec, "claimRef": claim},
    }
