"""Telling the API how a Job under way is doing: its counters at once, its progress now and then. Never in the way of the work."""

import asyncio
import json
import logging
from pathlib import Path

from strongroom.agent.jobstatuses import build_running
from strongroom.agent.outputs import read_progress, shorten
from strongroom.agent.records import Plan
from strongroom.agent.redaction import Redactor
from strongroom.api.labels import PROGRESS_ANNOTATION
from strongroom.kube.client import KubeClient
from strongroom.kube.errors import ApiError
from strongroom.kube.kinds import JOBS

LOOK_SECONDS = 1.0

log = logging.getLogger(__name__)


class Reporter:
    """One Job's reporter. Set the public fields; `run` brings them to the API until it is cancelled."""

    def __init__(self, client: KubeClient, plan: Plan, progress_seconds: float) -> None:
        """Progress is written at most every `progress_seconds`."""
        self._client = client
        self._plan = plan
        self._progress_seconds = progress_seconds
        self._told: tuple[int, int] | None = None
        self._told_progress: str | None = None
        self._told_progress_at = float("-inf")
        self.active = 0
        self.failed = 0
        self.outputs: tuple[Path, Path] | None = None
        """The running attempt's progress file and log."""
        self.redactor = Redactor(())

    async def run(self) -> None:
        """Report for ever; an API that is down is asked again at the next look."""
        is_failing = False
        while True:
            try:
                await self._report_counters()
                await self._report_progress()
                is_failing = False
            except ApiError as error:
                # Said once, not at every look of a long outage.
                level = logging.DEBUG if is_failing else logging.INFO
                log.log(level, "%s/%s: not reported yet: %s", self._plan.namespace, self._plan.name, error)
                is_failing = True
            await asyncio.sleep(min(LOOK_SECONDS, self._progress_seconds))

    async def _report_counters(self) -> None:
        counters = (self.active, self.failed)
        if counters == self._told:
            return
        status = build_running(start_time=self._plan.started_at, active=self.active, failed=self.failed)
        # The uid keeps this from a later Job of the same name.
        body = {"metadata": {"uid": self._plan.uid}, "status": status}
        await self._client.patch(JOBS, self._plan.namespace, self._plan.name, body, subresource="status")
        self._told = counters

    async def _report_progress(self) -> None:
        now = asyncio.get_running_loop().time()
        if self.outputs is None or now < self._told_progress_at + self._progress_seconds:
            return
        text = await asyncio.to_thread(_progress_text, *self.outputs, self.redactor)
        if text is None or text == self._told_progress:
            return
        self._told_progress_at = now
        body = {"metadata": {"uid": self._plan.uid, "annotations": {PROGRESS_ANNOTATION: text}}}
        await self._client.patch(JOBS, self._plan.namespace, self._plan.name, body)
        self._told_progress = text


def _progress_text(progress_file: Path, log_file: Path, redactor: Redactor) -> str | None:
    progress = read_progress(progress_file)
    for output in (progress_file, log_file):
        shorten(output)
    if progress is None:
        return None
    return json.dumps(redactor.json(progress.model_dump(mode="json", by_alias=True, exclude_none=True)))
