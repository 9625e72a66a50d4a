"""/version: which Kubernetes this server is like."""

import platform
from typing import Any

from strongroom import __version__

MAJOR, MINOR, PATCH = "1", "35", "0"


def build_version() -> dict[str, Any]:
    """In the shape of k8s.io/apimachinery version.Info; the build metadata says that it is not a kube-apiserver."""
    return {
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": f"v{MAJOR}.{MINOR}.{PATCH}+strongroom-{__version__}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }
