"""An agent says that it lives while all of its loops go round, and not longer."""

import pytest

from strongroom.agent.pulse import LONGEST_TURN_SECONDS, Pulse, pulse_path


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pulse(tmp_path, clock):
    return Pulse(tmp_path, ("registration", "dispatcher"), clock)


async def test_the_file_is_touched_while_every_loop_goes_round(pulse, tmp_path, clock):
    for _ in range(3):
        clock.now += LONGEST_TURN_SECONDS
        pulse.of("registration")()
        pulse.of("dispatcher")()
        pulse_path(tmp_path).unlink(missing_ok=True)
        await pulse.touch()
        assert pulse_path(tmp_path).stat().st_mode & 0o777 == 0o600


async def test_one_silent_loop_is_enough_to_fall_silent_and_is_named_once(pulse, tmp_path, clock, caplog):
    clock.now += LONGEST_TURN_SECONDS + 1
    pulse.of("registration")()
    await pulse.touch()
    await pulse.touch()
    assert not pulse_path(tmp_path).exists()
    assert [record.args for record in caplog.records] == [(LONGEST_TURN_SECONDS, "dispatcher")]

    pulse.of("dispatcher")()
    await pulse.touch()
    assert pulse_path(tmp_path).exists()


async def test_a_state_folder_that_fails_is_told_and_ends_nothing(tmp_path, clock, caplog):
    pulse = Pulse(tmp_path / "gone", (), clock)
    await pulse.touch()
    assert "cannot say that this agent lives" in caplog.text


def test_a_loop_that_nobody_waits_for_is_a_mistake(pulse):
    with pytest.raises(KeyError):
        pulse.of("watch")
