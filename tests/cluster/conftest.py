"""For every story here."""

from collections.abc import Iterator

import pytest
from tests.cluster.disturbing import undisturbed


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """A test keeps the cluster whole for as long as it runs, from the first of its fixtures to the last."""
    with undisturbed():
        return (yield)
