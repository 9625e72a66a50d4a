"""Tables as people and scripts read them: the names in them are never cut, because they are typed or piped again."""

from rich.console import Console
from rich.table import Table

_WIDTH_OF_PIPES = 400


def open_console() -> Console:
    """Standard output; wide enough for every line where it is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH_OF_PIPES)


def build_table(*columns: str, names: int = 1) -> Table:
    """A table whose first `names` columns go on in the next line rather than being cut."""
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold" if number < names else "ellipsis")
    return table
