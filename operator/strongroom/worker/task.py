"""What the parts of one piece of work share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from strongroom.api.encryption import Encryption
from strongroom.api.restoring import DrillOutcome, RestoreOutcome, RestorePlan
from strongroom.api.result import Artifact, CatalogueReport, Copy, RetentionOutcome, StoreReport
from strongroom.api.workorder import WorkOrder
from strongroom.engine.connecting import Engine, connect_engine
from strongroom.pipeline.encryption.building import build_cipher
from strongroom.pipeline.encryption.ciphers import Cipher
from strongroom.sources.files.places import HOST, Places
from strongroom.worker.asking import Asking
from strongroom.worker.ending import Ending
from strongroom.worker.progress import ProgressLines
from strongroom.worker.secretfiles import SecretFiles


@dataclass(frozen=True)
class Task:
    """One order with what is needed to carry it out. `scratch` holds secrets in the form that programs want them."""

    order: WorkOrder
    secrets: SecretFiles
    scratch: Path
    progress: ProgressLines
    client_folders: Sequence[str]
    started_at: datetime
    ending: Ending
    engine: Callable[[], Engine] = connect_engine
    """The host's Docker Engine, connected when it is first asked for. Raises EngineUnreachable, EngineUnsupported."""
    places: Places = HOST
    """Where the host's volumes and paths are for this worker."""
    journal: Path | None = None
    """Folder for what hooks have to undo; without one there can be no hooks."""
    reach: Sequence[str] = ()
    """Networks (as in `172.17.0.0/16`) that a health check may fetch from, besides the machine's own addresses."""
    asking: Asking | None = None
    """Asks the operator, from a pod of a cluster: of services, and of what the next worker has to know."""
    drill_servers: Path | None = None
    """Where the sockets of throw-away servers are that run beside this worker, in a folder for each source."""
    rolls_back: bool = False
    """Whether the restore is given up: put back what earlier workers of the same order have exchanged, and remove what they made."""

    def build_cipher(self, encryption: Encryption | None) -> Cipher | None:
        """What encrypts and, as far as keys are at hand, opens. Before anything is read: keys that do not fit are found at once."""
        return None if encryption is None else build_cipher(encryption, self.secrets.read, self.scratch)


@dataclass(frozen=True)
class Done:
    """What came of it, as far as it goes into the result."""

    recovery_point: str | None = None
    artifacts: Sequence[Artifact] = ()
    contents: Literal["Whole", "Changed"] | None = None
    manifest_sha256: str | None = None
    copies: Sequence[Copy] = ()
    retention: Sequence[RetentionOutcome] = ()
    stores: Sequence[StoreReport] = ()
    catalogue: CatalogueReport | None = None
    plan: RestorePlan | None = None
    restore: RestoreOutcome | None = None
    drill: DrillOutcome | None = None
    message: str = ""
    """What has succeeded, in words; without it they are made of the artifacts."""
