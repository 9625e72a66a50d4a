"""Metrics about the operator itself: whether it acts, what stands in its way, what it is refused."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from strongroom.controllers.context import Context
from strongroom.controllers.health import Health


class OperatorCollector(Collector):
    """Made anew at each scrape."""

    def __init__(self, context: Context, health: Health) -> None:
        """Both are written by the event loop."""
        self._context = context
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """All families."""
        measures, clock = self._context.measures, self._context.server_clock
        for name, words, value in (
            ("leader", "1 while this process acts.", float(measures.is_leader)),
            ("ready", "1 while it acts, or could at once (/readyz).", float(self._health.look_ready()[0])),
            ("queue_length", "Objects that wait to be reconciled or are.", float(len(self._context.queue))),
            ("silence_seconds", "Seconds since the event loop last ticked.", measures.silence_seconds()),
            (
                "clock_offset_seconds",
                "By how much the API server's clock is ahead of the operator's.",
                clock.offset.total_seconds(),
            ),
        ):
            yield GaugeMetricFamily(f"strongroom_operator_{name}", words, value=value)
        yield self._collect_obstacles()
        yield self._collect_refused()

    def _collect_obstacles(self) -> Metric:
        gauge = GaugeMetricFamily(
            "strongroom_operator_obstacle",
            "1 for each thing that stands in the operator's way.",
            labels=["about", "reason"],
        )
        for about, obstacle in self._context.obstacles.standing().items():
            gauge.add_metric([about, obstacle.refusal.reason], 1.0)
        return gauge

    def _collect_refused(self) -> Metric:
        gauge = GaugeMetricFamily(
            "strongroom_refused_objects",
            "Objects about which the API server refuses something, by its reason.",
            labels=["kind", "reason"],
        )
        refused = self._context.refused.copy()
        counted = Counter((key.kind.kind, refusal.reason) for key, refusal in refused.items())
        for (kind, reason), count in counted.items():
            gauge.add_metric([kind, reason], count)
        return gauge
