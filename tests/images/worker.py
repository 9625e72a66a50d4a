"""The test images and the worker's own in one data root, made once for each state of the code.

`python -m tests.images.worker` makes both roots now: no test waits for the first.
"""

import hashlib
from pathlib import Path

from tests.docker.engine import ROOT, missing, running_engine
from tests.docker.workerimage import build_worker_image
from tests.images.build import images, keep_layers, kept_root

_SOURCES = ("operator/strongroom/**/*.py", "requirements/runtime.txt", "scripts/image*.sh")


def worker_images() -> Path:
    """The prepared data root; built now if none fits the code. Safe in many processes at once."""
    prepared = images()

    def build(kept: Path) -> None:
        with running_engine(prepared) as engine:
            build_worker_image(engine)
            engine.stop()
            keep_layers(engine.data_root, kept)

    return kept_root(f"worker-{_code_hash(prepared.name)}", build)


def _code_hash(beneath: str) -> str:
    digest = hashlib.sha256(beneath.encode())
    for path in sorted(path for pattern in _SOURCES for path in ROOT.glob(pattern)):
        digest.update(f"{path.relative_to(ROOT)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    print(missing() or worker_images())
