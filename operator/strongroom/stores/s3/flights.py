"""Parts on their way: a few at once, each in a thread of its own, so that reading goes on while they are sent."""

import threading
from collections.abc import Callable

from strongroom.stores.s3.parts import Part

MOST = 2


class _Flight(threading.Thread):
    """One part being sent. A daemon: a worker that must end does not wait for a server."""

    def __init__(self, number: int, part: Part, send: Callable[[int, Part], str]) -> None:
        super().__init__(name=f"part-{number}", daemon=True)
        self.number = number
        self.tag = ""
        self.error: BaseException | None = None
        self._part = part
        self._send = send

    def run(self) -> None:
        try:
            self.tag = self._send(self.number, self._part)
        except BaseException as error:  # noqa: BLE001 - carried over to the writer, which raises it
            self.error = error
        finally:
            self._part.close()


class Flights:
    """Sends parts by `send`, which returns a part's tag. At most MOST are in the air; beside them waits the next one."""

    def __init__(self, send: Callable[[int, Part], str]) -> None:
        """None yet."""
        self._send = send
        self._flying: list[_Flight] = []
        self._tags: dict[int, str] = {}

    def launch(self, number: int, part: Part) -> None:
        """Begin to send a part, which is closed afterwards; waits while too many are flying. Raises what an earlier one met."""
        while len(self._flying) >= MOST:
            self._land()
        flight = _Flight(number, part, self._send)
        self._flying.append(flight)
        flight.start()

    def finish(self) -> dict[int, str]:
        """The tags of all parts by number, once all have arrived. Raises what one of them met."""
        while self._flying:
            self._land()
        return self._tags

    def give_up(self, seconds: float) -> bool:
        """Wait that long for each that is still flying; whether none is any more."""
        for flight in self._flying:
            flight.join(seconds)
        return not any(flight.is_alive() for flight in self._flying)

    def _land(self) -> None:
        first = self._flying[0]
        first.join()
        del self._flying[0]
        if first.error is not None:
            raise first.error
        self._tags[first.number] = first.tag
