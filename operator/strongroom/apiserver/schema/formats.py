"""The `format`s a CRD may name for strings; any other name is not checked, as on the real server.

Source: apiextensions `pkg/apiserver/validation/formats.go` and kube-openapi `strfmt`. Not checked here although the real server does:
isbn, creditcard and ssn (nothing in a control plane uses them).
"""

import datetime as dt
import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

_DATE_TIME = re.compile(
    r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})\Z", re.ASCII
)
_UNIT_NANOSECONDS = {
    **dict.fromkeys(("ns", "nano", "nanos", "nanosecond", "nanoseconds"), 1),
    **dict.fromkeys(("us", "µs", "μs", "micro", "micros", "microsecond", "microseconds"), 10**3),
    **dict.fromkeys(("ms", "milli", "millis", "millisecond", "milliseconds"), 10**6),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 10**9),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60 * 10**9),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600 * 10**9),
    **dict.fromkeys(("d", "day", "days"), 86400 * 10**9),
    **dict.fromkeys(("w", "wk", "week", "weeks"), 7 * 86400 * 10**9),
}
_GO_DURATION = re.compile(
    r"^[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*\Z"
)
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-zµμ]+)")


def parse_duration(text: str) -> dt.timedelta | None:
    """Go's `1h30m` and strfmt's `2 days`; None when it is neither. Nanoseconds are cut to microseconds."""
    if text in {"0", "+0", "-0"}:
        return dt.timedelta()
    body = text.lstrip("+-") if _GO_DURATION.match(text) else text
    parts = _DURATION_PART.findall(body)
    if not parts or re.sub(r"\s+", "", "".join(f"{number}{unit}" for number, unit in parts)) != re.sub(
        r"\s+", "", body
    ):
        return None
    try:
        nanoseconds = sum(float(number) * _UNIT_NANOSECONDS[unit.lower()] for number, unit in parts)
        length = dt.timedelta(microseconds=nanoseconds / 1000)
    except (KeyError, OverflowError):
        return None
    return -length if text.startswith("-") else length


def parse_date_time(text: str) -> dt.datetime | None:
    """RFC 3339 with a zone; None when it is not."""
    if not _DATE_TIME.match(text):
        return None
    trimmed = re.sub(r"\.(\d{1,6})\d*", lambda found: f".{found[1]:0<6}", text)
    try:
        return dt.datetime.fromisoformat(trimmed.upper())
    except ValueError:
        return None


def parse_date(text: str) -> dt.datetime | None:
    """`2026-01-31` as midnight UTC; None when it is not a date."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return None
    try:
        return dt.datetime.fromisoformat(f"{text}T00:00:00+00:00")
    except ValueError:
        return None


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: compiled.fullmatch(text) is not None


def _is_uri(text: str) -> bool:
    """Go's url.ParseRequestURI: absolute, or a rooted path."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return (bool(parts.scheme) or text.startswith("/")) and not re.search(r"[\x00-\x20\x7f]", text)


_UUID = r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?%s[0-9a-fA-F]{3}-?%s[0-9a-fA-F]{3}-?[0-9a-fA-F]{12}"
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"

CHECKS: dict[str, Callable[[str], bool]] = {
    "byte": _matches(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"),
    "bsonobjectid": _matches(r"[0-9a-fA-F]{24}"),
    "cidr": lambda text: "/" in text and _parses(ipaddress.ip_interface)(text),
    "date": lambda text: parse_date(text) is not None,
    "date-time": lambda text: parse_date_time(text) is not None,
    "datetime": lambda text: parse_date_time(text) is not None,
    "duration": lambda text: parse_duration(text) is not None,
    "email": _matches(r"(.*<)?[^@\s<>]+@[^@\s<>]+>?"),
    "hexcolor": _matches(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "hostname": lambda text: (
        len(text) <= 253 and _matches(r"(?i:[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.?)+")(text)
    ),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "k8s-long-name": lambda text: len(text) <= 253 and _matches(rf"{_LABEL}(\.{_LABEL})*")(text),
    "k8s-short-name": _matches(_LABEL),
    "mac": _matches(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5,7}|([0-9a-fA-F]{4}\.){2,3}[0-9a-fA-F]{4}"),
    "rgbcolor": _matches(r"rgb\(\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*\)"),
    "uri": _is_uri,
    "uuid": _matches(_UUID % ("[0-9a-fA-F]", "[0-9a-fA-F]")),
    "uuid3": _matches(_UUID % ("3", "[0-9a-fA-F]")),
    "uuid4": _matches(_UUID % ("4", "[89abAB]")),
    "uuid5": _matches(_UUID % ("5", "[89abAB]")),
}
NAMES = frozenset(CHECKS) | {
    "password",
    "int32",
    "int64",
    "float",
    "double",
    "isbn",
    "isbn10",
    "isbn13",
    "creditcard",
    "ssn",
}
