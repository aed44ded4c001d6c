"""The rate budgets as numbers for Prometheus."""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlmodel import Session

from dashboard.services import budget_counts

_LABELS = ["region", "key", "operation"]


class Budgets(Collector):
    """What each workspace asked of Recall, of those operations it asked for lately.

    A workspace is its region and its key's fingerprint, as its page shows them.
    """

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = now

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Give each family its samples."""
        used = GaugeMetricFamily(
            "dashboard_recall_calls",
            "Calls to Recall in the last minute, counted for all processes.",
            labels=_LABELS,
        )
        limit = GaugeMetricFamily(
            "dashboard_recall_calls_limit",
            "Calls a minute that Recall takes of a workspace.",
            labels=_LABELS,
        )
        paused = GaugeMetricFamily(
            "dashboard_recall_paused_seconds",
            "How much longer nobody asks, because Recall answered 429.",
            labels=_LABELS,
        )
        found = budget_counts.uses(self._session, now=self._now)
        for scope, uses in found.items():
            region, _, key = scope.partition(":")
            for use in uses:
                labels = [region, key, use.operation.value]
                used.add_metric(labels, use.used)
                limit.add_metric(labels, use.operation.a_minute)
                left_s = (use.until - self._now).total_seconds() if use.until else 0
                paused.add_metric(labels, left_s)
        return [used, limit, paused]
