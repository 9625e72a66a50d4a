"""What a running operator tells to those who ask it by HTTP."""

import asyncio
import re
import urllib.error
import urllib.request
from pathlib import Path

from tests.integration.embedded import until


class Probe:
    """Metrics and probes of the operator that writes its port to a file."""

    def __init__(self, port_file: Path) -> None:
        self.port_file = port_file

    async def ask(self, path: str) -> tuple[int, str]:
        """Status and body; 0 where nobody answers."""
        return await asyncio.to_thread(self._fetch, path)

    def _fetch(self, path: str) -> tuple[int, str]:
        try:
            url = f"http://127.0.0.1:{int(self.port_file.read_text())}{path}"
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, ValueError):
            return 0, ""

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of a metric that have these labels."""
        _, text = await self.ask("/metrics")
        total = 0.0
        for found in re.finditer(rf"^{name}(?:\{{(.*)\}})? ([0-9.e+-]+)$", text, re.MULTILINE):
            told = dict(re.findall(r'(\w+)="([^"]*)"', found[1] or ""))
            if labels.items() <= told.items():
                total += float(found[2])
        return total

    async def until_ready(self, *, seconds: float = 90) -> None:
        async def ready() -> bool:
            return (await self.ask("/readyz"))[0] == 200

        await until(ready, "the operator is ready", seconds=seconds)

    async def until_unready(self, *words: str) -> str:
        async def unready() -> str:
            status, text = await self.ask("/readyz")
            return text if status == 503 and all(word in text for word in words) else ""

        return await until(unready, f"the operator is not ready: {', '.join(words)}")

    async def until_metric(self, value: float, name: str, **labels: str) -> None:
        async def told() -> bool:
            return await self.metric(name, **labels) == value

        await until(told, f"{name} {labels} is {value}")
