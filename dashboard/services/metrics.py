"""Numbers for Prometheus, read from the database: right whichever process is asked."""

import math
from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlmodel import Session, col, func, select

from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.connection import Connection, TokenState
from dashboard.models.webhook import Outcome, RefusalCount, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.heartbeats import heartbeats
from dashboard.services.recall import rate_limit_counts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def page(
    session: Session, *, open_streams: int, token_requests: Collector, now: datetime
) -> bytes:
    """Return what Prometheus reads.

    Args:
        session: Reading.
        open_streams: Live pages that this process serves now.
        token_requests: Counts those that this process answered.
        now: Aware.
    """
    registry = CollectorRegistry()
    registry.register(_Numbers(session, open_streams, now))
    registry.register(RateLimiter(session, now))
    registry.register(token_requests)
    return generate_latest(registry)


class _Numbers(Collector):
    def __init__(self, session: Session, open_streams: int, now: datetime) -> None:
        self._session = session
        self._open_streams = open_streams
        self._now = now

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Give each family its samples."""
        yield self._backlog()
        yield self._holds()
        yield self._connections()
        yield self._refused()
        streams = GaugeMetricFamily(
            "dashboard_live_streams", "Live pages open in this process."
        )
        streams.add_metric([], self._open_streams)
        yield streams
        yield self._heartbeat()

    def _heartbeat(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "dashboard_worker_heartbeat_age_seconds",
            "Seconds since a background worker last reported; +Inf when none has.",
        )
        last_at = heartbeats.find(self._session, now=self._now).last_at
        age = math.inf if last_at is None else (self._now - last_at).total_seconds()
        family.add_metric([], age)
        return family

    def _backlog(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "dashboard_webhooks_owed",
            "Webhooks waiting for Recall, or given up (dead).",
            labels=["zoom_app", "outcome"],
        )
        # Delivered ones are the bulk and are not counted: this reads an index range.
        query = (
            select(ZoomApp.name, Webhook.outcome, func.count())
            .join(Webhook, col(Webhook.zoom_app_id) == col(ZoomApp.id))
            .where(col(Webhook.outcome).in_([Outcome.WAITING, Outcome.DEAD]))
            .group_by(col(ZoomApp.name), col(Webhook.outcome))
        )
        for name, outcome, number in self._session.exec(query).all():
            family.add_metric([name, str(outcome)], number)
        return family

    def _holds(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "dashboard_holds",
            "Workspaces and Zoom apps whose deliveries are paused.",
            labels=["kind"],
        )
        query = select(OpenCircuit.kind, func.count()).where(
            col(OpenCircuit.is_holding)
        )
        found = dict(self._session.exec(query.group_by(col(OpenCircuit.kind))).all())
        for kind in CircuitKind:
            family.add_metric([kind.value], found.get(kind, 0))
        return family

    def _connections(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "dashboard_connections", "Connections by token state.", labels=["state"]
        )
        query = select(Connection.token_state, func.count()).group_by(
            col(Connection.token_state)
        )
        found = {str(state): n for state, n in self._session.exec(query).all()}
        for state in TokenState:
            family.add_metric([state.value], found.get(state.value, 0))
        return family

    def _refused(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "dashboard_requests_refused",
            "Requests refused at Zoom's door, while their counters are kept.",
            labels=["cause"],
        )
        query = select(RefusalCount.cause, func.sum(RefusalCount.requests)).group_by(
            col(RefusalCount.cause)
        )
        for cause, number in self._session.exec(query).all():
            family.add_metric([cause], int(number))
        return family


_LABELS = ["region", "key", "operation"]


class RateLimiter(Collector):
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
            "Seconds until Recall is asked again after a 429.",
            labels=_LABELS,
        )
        found = rate_limit_counts.uses(self._session, now=self._now)
        for scope, uses in found.items():
            region, _, key = scope.partition(":")
            for use in uses:
                labels = [region, key, use.operation.value]
                used.add_metric(labels, use.used)
                limit.add_metric(labels, use.operation.a_minute)
                left_s = (use.until - self._now).total_seconds() if use.until else 0
                paused.add_metric(labels, left_s)
        return [used, limit, paused]
