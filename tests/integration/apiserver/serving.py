"""A real server in a thread of its own, over TLS on a free port."""

import asyncio
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from strongroom.apiserver.serve import Endpoint, serve
from strongroom.apiserver.settings import Settings

START_SECONDS = 20


@dataclass
class Running:
    """A server that runs; `token` is the admin's."""

    endpoint: Endpoint
    state_dir: Path

    def token(self, role: str = "admin") -> str:
        config = yaml.safe_load((self.state_dir / f"{role}.kubeconfig").read_text())
        return config["users"][0]["user"]["token"]

    @property
    def ca(self) -> Path:
        return self.state_dir / "pki" / "ca.crt"

    def client(self, role: str = "admin", **headers: str) -> httpx.Client:
        return httpx.Client(
            base_url=self.endpoint.url,
            verify=ssl.create_default_context(cafile=self.ca),
            headers={"authorization": f"Bearer {self.token(role)}", **headers},
            timeout=60,
        )


class ServerThread:
    """Start on entry, stop cleanly on exit."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="apiserver")
        self._failure: BaseException | None = None
        self._endpoint: Endpoint | None = None

    def __enter__(self) -> Running:
        self._thread.start()
        assert self._ready.wait(START_SECONDS), "the server did not start in time"
        if self._endpoint is None:
            raise AssertionError("the server failed") from self._failure
        return Running(self._endpoint, self._settings.state_dir)

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)
        assert not self._thread.is_alive(), "the server did not stop in time"
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._failure = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()

        def on_ready(endpoint: Endpoint) -> None:
            self._endpoint = endpoint
            self._ready.set()

        await serve(self._settings, self._stop, on_ready)
