"""One zoom app for its page, the list and `zoom-app show`; no secrets."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from dashboard.clients.recall import api
from dashboard.models.connection import Connection
from dashboard.models.workspace import Verdict, Workspace
from dashboard.models.zoom_app import (
    Environment,
    Kind,
    Routing,
    ScopeStyle,
    TokenCustody,
    ZoomApp,
)
from dashboard.services import urls
from dashboard.services.facts import zoom_apps as facts
from dashboard.services.facts import zoom_log
from dashboard.services.facts.acting import Fact, Problem, Who
from dashboard.services.facts.zoom_apps import Reader
from dashboard.services.heartbeats import heartbeats
from dashboard.services.probes import recent
from dashboard.services.probes.recent import ActivityEntry
from dashboard.services.recall import workspaces
from dashboard.services.rotation import progress
from dashboard.services.setup import checklist
from dashboard.services.setup.steps import Checklist, SetupStep
from dashboard.services.status import traffic
from dashboard.services.status.traffic import Traffic
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import Evidence, ValidationStatus
from dashboard.services.validation.states import State
from dashboard.services.zoom_apps import apps, scopes
from dashboard.services.zoom_apps.scopes import Scope
from dashboard.settings import Settings, public_url_trouble, redirect_url_trouble


@dataclass(frozen=True, kw_only=True)
class SecretFacts:
    """What may be known of a stored secret."""

    set_at: datetime
    length: int
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class ZoomAppSummary:
    """A zoom app without its secrets; `dataclasses.asdict` makes it JSON's.

    Attributes:
        region: Of its workspace; None while it has none.
        recall_webhook_url: Where Zoom posts with routing `direct`, and where the
            dashboard forwards to; None while the app is not in Recall.
        zoom_to_dashboard: Validation state of that way.
        dashboard_to_recall: Validation state of that way.
    """

    id: UUID
    name: str
    environment: Environment
    kind: Kind
    scope_style: ScopeStyle
    joins_external: bool
    routing: Routing
    token_custody: TokenCustody
    client_id: str
    client_secret: SecretFacts
    secret_token: SecretFacts
    verdict: Verdict
    verdict_reason: str
    checked_at: datetime | None
    region: str | None
    recall_app_id: UUID | None
    webhook_url: str
    recall_webhook_url: str | None
    redirect_url: str
    connect_url: str
    zoom_to_dashboard: evidence.State
    dashboard_to_recall: evidence.State


def summary(  # noqa: PLR0913 - what it is made of
    session: Session,
    app: ZoomApp,
    seen: Evidence,
    *,
    settings: Settings,
    public_url: str,
    now: datetime,
) -> ZoomAppSummary:
    """Return what is known of a zoom app; `seen` is `validation.evidence` of it."""
    region = recall_url = None
    if app.workspace_id is not None:
        region = workspaces.get(session, app.workspace_id).region
        if app.recall_app_id is not None:
            host = urls.recall_base_url(settings, region)
            recall_url = api.webhook_url(host, app.recall_app_id)
    return ZoomAppSummary(
        id=app.id,
        name=app.name,
        environment=app.environment,
        kind=app.kind,
        scope_style=app.scope_style,
        joins_external=app.joins_external,
        routing=app.routing,
        token_custody=app.token_custody,
        client_id=app.client_id,
        client_secret=SecretFacts(
            set_at=app.client_secret_set_at,
            length=app.client_secret_length,
            fingerprint=app.client_secret_print,
        ),
        secret_token=SecretFacts(
            set_at=app.secret_token_set_at,
            length=app.secret_token_length,
            fingerprint=app.secret_token_print,
        ),
        verdict=app.verdict,
        verdict_reason=app.verdict_reason,
        checked_at=app.checked_at,
        region=region,
        recall_app_id=app.recall_app_id,
        webhook_url=urls.webhook_url(public_url, app.id),
        recall_webhook_url=recall_url,
        redirect_url=urls.redirect_url(settings.hosted_url or public_url),
        connect_url=urls.connect_url(settings.hosted_url or public_url, app.slug),
        zoom_to_dashboard=evidence.zoom_status(seen, now).state,
        dashboard_to_recall=evidence.recall_status(seen, now).state,
    )


@dataclass(frozen=True, kw_only=True)
class Row:
    """A zoom app in the list."""

    zoom_app: ZoomApp
    state: Fact
    connections: int


@dataclass(frozen=True, kw_only=True)
class ZoomAppPage:
    """One zoom app's page.

    Attributes:
        zoom_status: Status of the way from Zoom to us.
        recall_status: Status of the way from us to Recall.
        alarm: The problem to fix first; None while there is none.
        kept: What became of its webhooks meanwhile.
        zoom_left: How much of the time until the next check is left, in percent.
        recall_left: The same of the other way.
        setup: Its ticks; the next one's details are shown at once.
        seen: Newest first.
        address_trouble: Why Zoom would refuse our webhook URL; None if it would not.
        redirect_trouble: Why the redirect URL can't be used; None if it can.
        workspace: Of the app; None while it has none.
        workspaces: To choose from.
        rotation: A change of secrets under way; None when there is none.
        zoom_says: A failed validation request by Zoom's own log; None without one.
        zoom_console: Where the app is found in Zoom.
        recall_console: Where its workspace is found in Recall; None without one.
    """

    app: ZoomAppSummary
    zoom_status: ValidationStatus
    recall_status: ValidationStatus
    zoom_left: int
    recall_left: int
    alarm: Fact | None
    kept: str
    setup: Checklist
    seen: Sequence[ActivityEntry]
    traffic: Traffic
    scopes: Sequence[Scope]
    address_trouble: str | None
    redirect_trouble: str | None
    workspace: Workspace | None
    workspaces: Sequence[Workspace]
    rotation: progress.Card | None
    zoom_says: Fact | None
    zoom_console: str
    recall_console: str | None


def rows(session: Session, *, now: datetime) -> Sequence[Row]:
    """Return every zoom app with its state, by name."""
    counts = dict(
        session.exec(
            select(Connection.zoom_app_id, func.count()).group_by(
                col(Connection.zoom_app_id)
            )
        ).all()
    )
    read = Reader(session, now=now)
    return [
        Row(
            zoom_app=app,
            state=read(app).main,
            connections=counts.get(app.id, 0),
        )
        for app in apps.list_all(session)
    ]


def page(
    session: Session,
    zoom_app_id: UUID,
    *,
    settings: Settings,
    public_url: str,
    now: datetime,
) -> ZoomAppPage:
    """Return one zoom app's page.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    app = apps.get(session, zoom_app_id)
    seen = evidence.evidence(session, zoom_app_id, now=now)
    stands = facts.of(session, app, now=now, seen=seen)
    zoom_status, recall_status = stands.zoom_status, stands.recall_status
    day = traffic.last_day(session, zoom_app_id, now=now)
    own = app.workspace_id and workspaces.get(session, app.workspace_id)
    return ZoomAppPage(
        app=summary(
            session, app, seen, settings=settings, public_url=public_url, now=now
        ),
        zoom_status=zoom_status,
        recall_status=recall_status,
        zoom_left=zoom_status.share_left(now),
        recall_left=recall_status.share_left(now),
        alarm=stands.alarm,
        kept=_kept(session, app, day, stands.alarm, now=now),
        setup=checklist.load(session, app, seen, now=now),
        seen=recent.latest(session, zoom_app_id, now=now),
        traffic=day,
        scopes=scopes.list_for(app),
        address_trouble=public_url_trouble(public_url),
        redirect_trouble=redirect_url_trouble(
            settings.hosted_url or public_url,
            is_development=app.environment is Environment.DEVELOPMENT,
            is_for_recall=app.token_custody is TokenCustody.RECALL,
        ),
        workspace=own or None,
        workspaces=workspaces.list_all(session),
        rotation=progress.card(session, app, now=now),
        zoom_says=_zoom_says(session, app, zoom_status, now),
        zoom_console=urls.zoom_console_url(
            settings,
            app.client_id,
            app.zoom_cloud,
            app_id=app.marketplace_app_id,
            environment=app.environment,
        ),
        recall_console=urls.recall_console_url(settings, own.region) if own else None,
    )


def _zoom_says(
    session: Session, app: ZoomApp, status: ValidationStatus, now: datetime
) -> Fact | None:
    after = status.since if status.state is State.VALID else None
    return zoom_log.of_validation(session, app.id, after=after, now=now)


def _kept(
    session: Session, app: ZoomApp, day: Traffic, alarm: Fact | None, *, now: datetime
) -> str:
    """Say what became of its webhooks while delivery has a problem; from counts."""
    if alarm is None or app.routing is Routing.DIRECT:
        return ""
    if alarm.problem is Problem.NO_WORKER and day.waiting:
        worker = heartbeats.find(session, now=now)
        tried = worker.about_waiting(traffic.last_try(session, app.id))
        return f"{day.waiting:,} queued. {tried}"
    if alarm.problem not in _HOLDS_BACK:
        return ""
    failed = traffic.count_failed(session, app.id, at_most=traffic.COUNTED)
    queued = f"{day.waiting:,} queued"
    if failed:
        webhooks = "1 webhook" if failed == 1 else f"{failed:,} webhooks"
        after = f"; {queued}" if day.waiting else ""
        return f"{webhooks} failed and must be resent once this is fixed{after}."
    return f"{queued}, none failed." if day.waiting else _NONE_KEPT


_NONE_KEPT = "No webhook is waiting or failed."
_HOLDS_BACK = {
    Problem.RECALL_SECRET,
    Problem.GONE_FROM_RECALL,
    Problem.RECALL_ANSWERS_WRONG,
    Problem.PAUSED,
    Problem.RECALL_DOWN,
}


@dataclass(frozen=True, kw_only=True)
class ZoomAppReport:
    """One zoom app without its secrets.

    Attributes:
        state: The problem to fix first, or that its ways work.
        problems: All that someone should know of it.
        zoom_status: Status of the way from Zoom to us.
        recall_status: Status of the way from us to Recall.
        setup: As on its page and on the overview.
    """

    summary: ZoomAppSummary
    state: Fact
    problems: Sequence[Fact]
    zoom_status: ValidationStatus
    recall_status: ValidationStatus
    setup: Checklist

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON; `pydantic_core.to_jsonable_python` does the rest."""
        return asdict(self.summary) | {
            "state": self.state.as_dict(),
            "problems": [each.as_dict() for each in self.problems],
            "clocks": {
                "zoom_to_dashboard": _clock(self.zoom_status),
                "dashboard_to_recall": _clock(self.recall_status),
            },
            "setup": [_tick(step) for step in self.setup.steps],
        }

    def lines(self) -> Sequence[str]:
        """Return the set-up as lines for a terminal, the one thing to do last."""
        upcoming, state = self.setup.next, self.state
        since = f", since {state.since:%Y-%m-%d %H:%M} UTC" if state.since else ""
        said = [f"state: {state.word}{since}. {state.sentence}"]
        if state.who is not Who.NOBODY:
            said.append(f"who: {state.who.words}. {state.next_step}")
        said.append(f"setup: {self.setup.words}")
        for step in self.setup.steps:
            mark = _mark(step)
            at = f"{step.at:%Y-%m-%d %H:%M:%S} UTC" if step.at else "-" * 3
            said.append(f"[{mark}] {at:<23}  {step.title}")
            said += [f"{'':29}{text}" for text in (step.proof, step.remark) if text]
        if upcoming is not None:
            said.append(f"next: {upcoming.next}")
        return said


def report(
    session: Session,
    zoom_app_id: UUID,
    *,
    settings: Settings,
    public_url: str,
    now: datetime,
) -> ZoomAppReport:
    """Return what is known of a zoom app and how far it is.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    app = apps.get(session, zoom_app_id)
    seen = evidence.evidence(session, zoom_app_id, now=now)
    stands = facts.of(session, app, now=now, seen=seen)
    return ZoomAppReport(
        summary=summary(
            session, app, seen, settings=settings, public_url=public_url, now=now
        ),
        state=stands.main,
        problems=stands.problems,
        zoom_status=stands.zoom_status,
        recall_status=stands.recall_status,
        setup=checklist.load(session, app, seen, now=now),
    )


def _clock(status: ValidationStatus) -> Mapping[str, object]:
    return {
        "state": status.state,
        "word": status.word,
        "sentence": status.sentence,
        "since": status.since,
        "next_due_at": status.next_due_at,
        "failures": status.failures,
    }


def _mark(step: SetupStep) -> str:
    if step.is_done:
        return "x" if step.is_proven else "~"
    return "!" if step.tone == "trouble" else " "


def _tick(step: SetupStep) -> Mapping[str, object]:
    return {
        "key": step.key,
        "title": step.title,
        "done": step.is_done,
        "proven": step.is_proven,
        "at": step.at,
        "proof": step.proof,
        "remark": step.remark,
        "next": step.next,
    }
