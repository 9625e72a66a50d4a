"""The readings of sources that are trees of files."""

from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.sources import Source
from strongroom.engine.execs import build_marker
from strongroom.sources.files.configuration import plan_config
from strongroom.sources.files.readings import plan_files
from strongroom.sources.reading import Reading
from strongroom.worker.task import Task


def plan_tree(task: Task, source: Source) -> list[Reading]:
    """Look at a files or config source. Raises what `plan_files` and `plan_config` raise, and EncryptionRequired."""
    if source.files is not None:
        marker = build_marker(task.order.run_uid)
        return plan_files(source.name, source.files, task.places, task.engine, marker)
    if source.config is None:
        raise StrongroomError(
            Reason.Unsupported, f"source {source.name}: a type that this version does not read"
        )
    encryption = None if task.order.backup is None else task.order.backup.encryption
    if encryption is None and not source.config.allow_unencrypted:
        raise StrongroomError(
            Reason.EncryptionRequired,
            f"source {source.name}: configuration holds secrets (encryption, config.allowUnencrypted)",
        )
    return plan_config(source.name, source.config, task.places, task.engine)
