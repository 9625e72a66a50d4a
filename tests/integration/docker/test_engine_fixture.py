"""The Engines that the tests of Docker hosts stand on."""

from tests.docker.engine import Engine


def test_an_engine_answers_on_a_socket_of_its_own(engine: Engine) -> None:
    assert engine.docker("version", "--format", "{{.Server.Os}}") == "linux"
    assert str(engine.socket) != "/var/run/docker.sock"


def test_two_engines_at_once_are_two_hosts(engine: Engine, second_engine: Engine) -> None:
    ids = {one.docker("info", "--format", "{{.ID}}") for one in (engine, second_engine)}
    assert len(ids) == 2


def test_a_killed_engine_starts_again(engine: Engine) -> None:
    engine.kill()
    engine.start()
    assert engine.docker("ps", "--quiet") == ""
