from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docker.engine import Engine
from tests.integration.hooks.services import Services


@pytest.fixture
def services(engine: Engine, tmp_path: Path) -> Iterator[Services]:
    """An Engine without containers, and a Job's folder."""
    engine.start()
    found = Services(engine, tmp_path)
    yield found
    engine.start()
    found.clear()
