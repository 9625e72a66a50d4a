"""The worker's image as `make image` builds it where no registry can be reached."""

import fcntl
import os
import subprocess

from tests.docker.engine import ROOT, Engine
from tests.docker.slot import CACHE


def build_worker_image(engine: Engine) -> None:
    """On that Engine; its Debian and Python packages come from the cache, which the first call fills in some minutes."""
    # A machine that reaches its packages by an authority of its own says so here.
    trusted = {name: os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ}
    environment = {
        **engine.environment(),
        **trusted,
        "OFFLINE": "1",
        "STRONGROOM_IMAGE_CACHE": str(CACHE / "worker-image"),
    }
    with (CACHE / "worker-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [ROOT / "scripts/image.sh"], env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
