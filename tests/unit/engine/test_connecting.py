import docker.errors
import pytest

from strongroom.api.errors import Reason, StrongroomError
from strongroom.engine.connecting import connect_engine, describe


def test_an_engine_that_is_not_there_is_told_in_the_systems_words(tmp_path):
    url = f"unix://{tmp_path}/docker.sock"
    with pytest.raises(StrongroomError) as caught:
        connect_engine(url)
    assert caught.value.reason is Reason.EngineUnreachable
    assert caught.value.message == f"the Docker Engine at {url} does not answer: No such file or directory"


def test_the_engines_own_words_are_told_as_they_are():
    assert describe(docker.errors.APIError("409", explanation="it is paused")) == "it is paused"
    assert describe(docker.errors.DockerException("odd")) == "odd"
