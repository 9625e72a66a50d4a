"""Who owns which field? Server-side apply, and `metadata.managedFields` for every other write.

Belongs here: field sets, typed merge and comparison by schema, conflicts, the entries of managers; after structured-merge-diff and
apimachinery `util/managedfields` (layers and texts of release 1.35).
Forbidden: storage, defaults and validation of what a merge gives; conversion between versions of a kind (there is one).
"""

from strongroom.apiserver.managedfields.applying import apply
from strongroom.apiserver.managedfields.conflicts import Conflict, ConflictError
from strongroom.apiserver.managedfields.entries import Write
from strongroom.apiserver.managedfields.tracking import track_update
from strongroom.apiserver.managedfields.typing import TypedPatchError

__all__ = ["Conflict", "ConflictError", "TypedPatchError", "Write", "apply", "track_update"]
