"""Names and values as SQL writes them. Sessions run with standard_conforming_strings on."""


def identifier(name: str) -> str:
    """The name, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """The text as a string constant."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: list[str]) -> str:
    """The texts as string constants, joined by commas."""
    return ", ".join(map(literal, texts))


def parse_identifier(text: str) -> str:
    """A name out of SQL: quoted, or as it stands."""
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return text[1:-1].replace('""', '"')
    return text


def split_list(value: str) -> list[str]:
    """The items of a parameter whose value is a list of quoted names, such as search_path (GUC_LIST_QUOTE)."""
    items, rest = [], value.strip()
    while rest:
        if rest.startswith('"'):
            end = _end_of_quoted(rest)
            items.append(parse_identifier(rest[:end]))
            rest = rest[end:].lstrip().removeprefix(",").lstrip()
        else:
            item, _, rest = rest.partition(",")
            items.append(item.strip())
            rest = rest.lstrip()
    return items


def _end_of_quoted(text: str) -> int:
    """Position behind the quoted name that the text begins with."""
    position = 1
    while position < len(text):
        if text[position] == '"':
            if text[position + 1 : position + 2] != '"':
                return position + 1
            position += 1
        position += 1
    return position
