"""The connections of one store: each serves one caller at a time, and is used again while it lives."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from strongroom.api.errors import StrongroomError
from strongroom.stores.limits.pulses import Pulse
from strongroom.stores.sftp.session import Session, StatusError
from strongroom.stores.ssh.access import Access


class Connections:
    """Those that wait for work. A broken one is never given again: whoever asks next gets a new one."""

    def __init__(self, access: Access, pulse: Pulse) -> None:
        """None yet."""
        self._access = access
        self._pulse = pulse
        self._idle: list[Session] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._idle)

    def take(self) -> Session:
        """One that nobody else uses, until it is given back. Raises what connecting raises."""
        while True:
            with self._lock:
                session = self._idle.pop() if self._idle else None
            if session is None:
                return Session(self._access, self._pulse)
            if session.is_fit():
                return session
            session.close()

    def give_back(self, session: Session) -> None:
        """For the next caller, if it lives."""
        if not session.alive:
            session.close()
            return
        with self._lock:
            self._idle.append(session)

    @contextmanager
    def one(self) -> Iterator[Session]:
        """One for a while."""
        session = self.take()
        try:
            yield session
        except (StatusError, StrongroomError):
            raise
        except BaseException:  # interrupted, perhaps in the midst of a packet
            session.close()
            raise
        finally:
            self.give_back(session)


def _close(idle: list[Session]) -> None:
    while idle:
        idle.pop().close()
