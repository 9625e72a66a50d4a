"""What `strongroom token` prints and `strongroom agent --join` takes."""

import pytest
from click.testing import CliRunner

from strongroom.cli.joinoptions import words_without_token
from strongroom.cli.parts import agent
from strongroom.cli.token import token


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["agent", "--token", "srj_x", "--state", "s"], ["agent", "--state", "s"]),
        (["agent", "--state", "s", "--token=srj_x"], ["agent", "--state", "s"]),
        (["agent", "--host-name", "srj_x"], ["agent", "--host-name", "srj_x"]),
    ],
)
def test_the_command_line_is_left_as_it_was_without_the_token(words, kept):
    assert words_without_token(words, "srj_x") == kept


def test_join_and_kubeconfig_exclude_each_other(tmp_path):
    words = ["--state", str(tmp_path), "--join", "https://h", "--kubeconfig", str(tmp_path / "k")]
    done = CliRunner().invoke(agent, words)
    assert done.exit_code == 2
    assert "exclude each other" in done.output


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["Web_2"], "no name of a DockerHost"),
        (["w" * 64], "no name of a DockerHost"),
        (["web-2", "--expires", "soon"], "is not a duration"),
        (["web-2", "--expires", "9m"], "at least 10m"),
        (["web-2", "--server", "vault:16443"], "is no URL such as https://"),
    ],
)
def test_a_token_that_cannot_be_is_refused_before_anything_is_made(words, text):
    done = CliRunner().invoke(token, words)
    assert done.exit_code == 2
    assert text in done.output
