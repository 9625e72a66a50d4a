import io

from rich.console import Console

from strongroom.cli.screens import build_table

NAME = "a-project-with-a-long-name-media-manual-x56hc"


def printed(width: int) -> str:
    table = build_table("Run", "Policy", "Phase", names=2)
    table.add_row(NAME, NAME, "Succeeded")
    out = io.StringIO()
    Console(file=out, width=width).print(table)
    return out.getvalue()


def test_a_narrow_terminal_cuts_no_name():
    text = printed(60)
    assert "…" not in text
    assert NAME[:20] in text
    assert text.count("x56hc") == 2


def test_where_there_is_room_a_name_stays_on_one_line():
    assert printed(400).splitlines()[1].count(NAME) == 2
