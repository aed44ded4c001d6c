"""Numbers for Prometheus, read from the database: right whichever process is asked."""

import math
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlmodel import Session, col, func, select

from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.webhook import RefusalCount, Webhook
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.facts import connections as connection_facts
from dashboard.services.facts import webhooks, zoom_apps
from dashboard.services.facts.connections import Shown
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
        yield self._zoom_apps()
        yield self._workspaces()
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
            .where(webhooks.is_owed())
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
            "dashboard_connections",
            "Connections by the state that pages show.",
            labels=["state"],
        )
        broken = connection_facts.causes(self._session, now=self._now)
        counts = connection_facts.counts(self._session, broken=broken, now=self._now)
        found = Counter[Shown]()
        for (_, shown), number in counts.items():
            found[shown] += number
        for shown in Shown:
            family.add_metric([shown.value], found[shown])
        return family

    def _zoom_apps(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "dashboard_zoom_app_state",
            "1 for the state of each zoom app in use, and who must act.",
            labels=["id", "zoom_app", "environment", "state", "who"],
        )
        read = zoom_apps.Reader(self._session, now=self._now)
        query = select(ZoomApp).where(col(ZoomApp.retired_at).is_(None))
        for app in self._session.exec(query.order_by(col(ZoomApp.name))).all():
            fact = read(app).main
            place = [str(app.id), app.name, app.environment.value]
            family.add_metric([*place, fact.state, fact.who.value], 1)
        return family

    def _workspaces(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "dashboard_workspace_state",
            "1 for the state of each workspace, and who must act.",
            labels=["id", "workspace", "state", "who"],
        )
        query = select(Workspace).order_by(col(Workspace.name))
        for workspace in self._session.exec(query).all():
            fact = zoom_apps.key(workspace, now=self._now)
            place = [str(workspace.id), workspace.name]
            family.add_metric([*place, fact.state, fact.who.value], 1)
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
