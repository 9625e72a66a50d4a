"""Where the scripts of the one-node Kubernetes are, and what they built."""

import os
import shutil
from pathlib import Path

from tests.docker.engine import ROOT, missing
from tests.docker.slot import CACHE, RUN

BUILT = Path("/var/tmp/realcluster")
"""Outside of every checkout: it takes minutes to build and gigabytes to keep."""
STATE = BUILT / "run"
KUBECONFIG = STATE / "admin.kubeconfig"
SERVER = "https://172.17.0.1:18443"
VOLUMES = STATE / "volumes"
"""Folders of PersistentVolumes: the cluster itself makes none."""
NODE = "172.17.0.1"
"""The machine's address on the default Engine's bridge: pods reach it, and nobody else."""
LOCK = RUN / "cluster.lock"
"""Held by whoever runs the cluster: one at a time on a machine."""
RUN_VARIABLE = "STRONGROOM_TEST_RUN"
"""Process id of the run: of pytest, or of the one whose workers the processes are."""
_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")


def tests_lock(run: int) -> Path:
    """Shared by the tests of a run while they are at work, and held alone by whoever wants none to be."""
    return CACHE / f"cluster-tests-{run}.lock"


def find_scripts() -> Path | None:
    """The folder with build.sh and cluster.sh: $STRONGROOM_REALCLUSTER, or shared/realcluster beside the checkout."""
    told = os.environ.get("STRONGROOM_REALCLUSTER")
    folders = [Path(told)] if told else [parent / "shared/realcluster" for parent in ROOT.parents[:2]]
    return next((folder for folder in folders if (folder / "cluster.sh").is_file()), None)


def is_built() -> bool:
    """Whether every program is there, and the image of its pods' first container, which is made last."""
    return all((BUILT / "bin" / name).is_file() for name in _PROGRAMS) and (BUILT / "pause.tar").is_file()


def why_not() -> str:
    """Why no cluster can run here, or an empty text."""
    if find_scripts() is None:
        return "there is no shared/realcluster beside the checkout, and $STRONGROOM_REALCLUSTER names none"
    reason = missing()
    if not reason and not is_built() and shutil.which("apt-get") is None:
        reason = "the cluster is built from Debian packages"
    return reason
