"""The limits of a BackupStore, put around the store that it names."""

from strongroom.api.backupstore import StoreLimits
from strongroom.api.fields import parse_duration
from strongroom.stores.limits.pulses import Pulse
from strongroom.stores.limits.rates import PacedStore, TokenBucket
from strongroom.stores.limits.retries import Endurance, PersistentStore
from strongroom.stores.limits.stalls import Watch, WatchedStore
from strongroom.stores.store import Store


def limited(store: Store, limits: StoreLimits, pulse: Pulse | None = None) -> Store:
    """The store within its limits. `pulse` beats while bytes move inside a call of the store.

    Watched closest to the medium, so that neither pauses nor a low rate pass for a stall; paced outermost.
    """
    watched = WatchedStore(store, Watch(_seconds(limits.stall_timeout), pulse))
    persistent = PersistentStore(watched, Endurance(_seconds(limits.retry_for)))
    up, down = limits.upload_bytes_per_second, limits.download_bytes_per_second
    if up is None and down is None:
        return persistent
    return PacedStore(persistent, up=_bucket(up), down=_bucket(down))


def _bucket(bytes_per_second: int | None) -> TokenBucket | None:
    return None if bytes_per_second is None else TokenBucket(bytes_per_second)


def _seconds(duration: str) -> float:
    return parse_duration(duration).total_seconds()
