"""How our parts log: one line an event, to standard error, in UTC; for people, or as JSON for what collects logs.

A line of JSON has `time`, `level`, `part`, `logger` and `message`; `object` (kind, namespace, name) where work on one is under way;
and `exception` where a fault of ours has left its trace. Line breaks are escaped in it: an event is one line whatever it says.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from strongroom.kube.subjects import current_subject

FORMATS = ("text", "json")


def configure_logging(part: str, format_: str = "text", level: int = logging.INFO) -> None:
    """Send this process's log to standard error; libraries speak from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(part) if format_ == "json" else _text_formatter(part))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("strongroom").setLevel(level)


def log_format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: `--log-format`, as each part that stays in the foreground has it."""
    return click.option(
        "--log-format",
        type=click.Choice(FORMATS),
        default="text",
        show_default=True,
        help="How events are logged to standard error: for people, or one JSON object a line.",
    )(command)


def _text_formatter(part: str) -> logging.Formatter:
    formatter = logging.Formatter(
        f"%(asctime)s.%(msecs)03dZ {part} %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    return formatter


class JsonFormatter(logging.Formatter):
    """One JSON object an event."""

    def __init__(self, part: str) -> None:
        """`part` says which of our processes speaks."""
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "part": self._part,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (subject := current_subject()) is not None:
            line["object"] = subject._asdict()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
