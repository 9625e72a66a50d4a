"""Ask a server that another process runs whether it serves, knowing only its state folder."""

import http.client
import ssl
from pathlib import Path

_TIMEOUT_SECONDS = 5.0


def is_ready(state_dir: Path, bound: str) -> bool:
    """Whether `/readyz` answers 200 over TLS with the folder's own CA (blocking, at most some seconds).

    `bound` is the address that the server listens on; a wildcard is asked by loopback.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound)  # noqa: S104 (compared, not bound)
    try:
        port = int((state_dir / "port").read_text())
        context = ssl.create_default_context(cafile=state_dir / "pki" / "ca.crt")
        connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_SECONDS, context=context)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException):
        return False
