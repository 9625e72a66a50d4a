r"""Go's regular expressions (RE2) in terms of Python's `re`, for `pattern` in schemas.

Where the two differ, the RE2 meaning is kept: `$` is the very end of the text, classes such as `\w` are ASCII,
`\z` is the end, `[[:alpha:]]` is a class. What `re` cannot say (`\pL`, `\C`) is refused when the CRD is loaded.
"""

import re
from functools import lru_cache

_POSIX_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": r"0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_PART = re.compile(r"\\x\{[0-9A-Fa-f]+\}|\\.|\[:\w+:\]|\[\^?\]?|\]|\$|\(\?[imsU-]+\)|.", re.DOTALL)


class UnsupportedPatternError(ValueError):
    """The pattern is no regular expression this server can evaluate."""


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Raises UnsupportedPatternError. Use `.search`: patterns of schemas are not anchored."""
    try:
        return re.compile(_translated(pattern), re.ASCII)
    except re.error as error:
        raise UnsupportedPatternError(f"error parsing regexp: {error}: `{pattern}`") from error


def _translated(pattern: str) -> str:
    multiline = bool(re.search(r"\(\?[imsU]*m", pattern))
    in_class = False
    out = []
    for part in _PART.findall(pattern):
        if in_class:
            in_class = part != "]"
            out.append(_in_class(part))
        else:
            in_class = part.startswith("[")
            out.append(_outside_class(part, multiline=multiline))
    return "".join(out)


def _in_class(part: str) -> str:
    if part.startswith("[:"):
        return _POSIX_CLASSES.get(part[2:-2], part)
    return r"\[" if part == "[" else _escape(part)


def _outside_class(part: str, *, multiline: bool) -> str:
    if part == "$" and not multiline:
        return r"\Z"
    return r"\Z" if part == r"\z" else _escape(part)


def _escape(part: str) -> str:
    if part.startswith(r"\x{"):
        return re.escape(chr(int(part[3:-1], 16)))
    return part
