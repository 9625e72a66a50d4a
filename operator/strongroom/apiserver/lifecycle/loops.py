"""A loop that works until it is cancelled: woken or on a timer, and never ended by one failure."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from strongroom.apiserver.http.statuses import StatusError
from strongroom.apiserver.storage.errors import StaleError, StorageFailedError

logger = logging.getLogger(__name__)
_PAUSE_SECONDS = 1.0


async def run_loop(
    step: Callable[[], Awaitable[None]], *, interval_seconds: float, wake: asyncio.Event | None = None
) -> None:
    """Repeat `step` when woken, and at least every interval. Lost races and refused writes are tried again after a pause."""
    wake = wake or asyncio.Event()
    while True:
        wake.clear()
        try:
            await step()
        except (StatusError, StaleError, StorageFailedError) as error:
            logger.warning("%s: %s; trying again", getattr(step, "__qualname__", step), error)
            await asyncio.sleep(_PAUSE_SECONDS)
            wake.set()
        try:
            async with asyncio.timeout(interval_seconds):
                await wake.wait()
        except TimeoutError:
            continue
