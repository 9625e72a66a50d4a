"""How our parts log: one line an event, to standard error, in UTC, with the part's name."""

import logging
import sys
import time


def configure_logging(part: str, level: int = logging.INFO) -> None:
    """Send this process's log to standard error; libraries speak from WARNING on."""
    formatter = logging.Formatter(
        f"%(asctime)s.%(msecs)03dZ {part} %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("strongroom").setLevel(level)
