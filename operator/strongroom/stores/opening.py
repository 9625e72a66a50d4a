"""Which class serves a BackupStore?"""

from strongroom.api.backupstore import BackupStoreSpec
from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.local import LocalStore
from strongroom.stores.store import Store


def open_store(name: str, spec: BackupStoreSpec) -> Store:
    """The store of that specification. Touches nothing yet; Unsupported for a type that this version lacks."""
    if spec.local is not None:
        return LocalStore(spec.local.path)
    raise StrongroomError(
        Reason.Unsupported, f"store {name}: this version does not write to {spec.type}; use spec.local"
    )
