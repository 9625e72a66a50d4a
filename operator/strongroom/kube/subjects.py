"""Which object is this task at work on? What is logged meanwhile can name it, however deep down it is said."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Subject(NamedTuple):
    """One object as people name it."""

    kind: str
    namespace: str
    name: str


_subject: ContextVar[Subject | None] = ContextVar("subject", default=None)


@contextmanager
def at_work_on(kind: str, namespace: str, name: str) -> Iterator[None]:
    """While it lasts, this task (and what it starts) is at work on that object."""
    token = _subject.set(Subject(kind, namespace, name))
    try:
        yield
    finally:
        _subject.reset(token)


def current_subject() -> Subject | None:
    """What the running task is at work on."""
    return _subject.get()
