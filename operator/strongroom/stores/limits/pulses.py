"""The sign that a store is at work although a call has not returned yet: bytes move inside it."""


class Pulse:
    """Counts signs of life. Any thread may beat."""

    def __init__(self) -> None:
        """None so far."""
        self.count = 0

    def beat(self) -> None:
        """A byte moved, or an answer came. Cheap; a beat that is lost to another thread's does no harm."""
        self.count += 1
