"""Draws rows and facts in the shapes of the API. Pure."""

from datetime import datetime

from dashboard.models import connection as connection_rows
from dashboard.models import event as event_rows
from dashboard.models import invitation as invitation_rows
from dashboard.models import webhook as webhook_rows
from dashboard.services import events
from dashboard.services.explain.explain import Answer
from dashboard.services.facts import connections as connection_facts
from dashboard.services.facts.acting import Fact
from dashboard.services.invitations import invitations
from dashboard.services.status.zoom_app import ZoomAppReport
from dashboard.services.validation.states import ValidationStatus
from dashboard.services.webhook_log.log import Trace
from dashboard.services.webhook_log.redaction import Shown
from dashboard.web.api import shapes


def connection(
    row: connection_rows.Connection,
    stands: connection_facts.Standing,
    *,
    now: datetime,
) -> shapes.Connection:
    """Draw a connection and how it stands."""
    seen_at = stands.proof_at
    age_s = None if seen_at is None else max(0, int((now - seen_at).total_seconds()))
    return shapes.Connection(
        id=row.id,
        zoom_app_id=row.zoom_app_id,
        reference=row.reference,
        is_reference_verified=row.is_reference_verified,
        tags=row.tags.split(),
        display_name=row.display_name,
        email=row.email,
        zoom_user_id=row.zoom_user_id,
        zoom_account_id=row.zoom_account_id,
        pmi=row.pmi,
        previous_pmi=row.previous_pmi,
        token_storage=row.token_custody,
        state=stands.shown,
        label=stands.word,
        tone=stands.tone,
        reason=stands.reason,
        since=stands.since,
        evidence=shapes.Evidence(
            words=stands.proof,
            seen_at=seen_at,
            age_s=age_s,
            valid_until=stands.valid_until,
            is_real_call=stands.is_real_call,
        ),
        is_usable=stands.is_good,
        why_not=stands.why_not,
        who_must_act=stands.who,
        next_step=stands.next_step,
        next_check_at=stands.next_check,
        meeting_sync=row.sync_status,
        connected_at=row.connected_at,
        reconnected_at=row.reconnected_at,
    )


def invitation(row: invitation_rows.Invitation, *, now: datetime) -> shapes.Invitation:
    """Draw a link, without its address."""
    return shapes.Invitation(
        id=row.id,
        zoom_app_id=row.zoom_app_id,
        connection_id=row.connection_id,
        reference=row.user_ref,
        tags=row.tags.split(),
        return_url=row.return_url,
        email=row.email,
        state=invitations.state_of(row, now=now),
        created_at=row.created_at,
        expires_at=row.expires_at,
        opened_at=row.opened_at,
        ended_at=row.ended_at,
    )


def standing(fact: Fact) -> shapes.Standing:
    """Draw how a part of a zoom app or a webhook stands."""
    return shapes.Standing(
        state=fact.state,
        label=fact.word,
        tone=fact.tone,
        sentence=fact.sentence,
        reason=fact.reason,
        since=fact.since,
        who_must_act=fact.who,
        next_step=fact.next_step,
        next_check_at=fact.next_check,
    )


def zoom_app(
    report: ZoomAppReport, *, return_origins: str, retired_at: datetime | None
) -> shapes.ZoomApp:
    """Draw a zoom app, how it stands, and its set-up."""
    summary = report.summary
    return shapes.ZoomApp(
        id=summary.id,
        name=summary.name,
        environment=summary.environment,
        kind=summary.kind,
        routing=summary.routing,
        token_storage=summary.token_custody,
        region=summary.region,
        recall_app_id=summary.recall_app_id,
        webhook_url=summary.webhook_url,
        redirect_url=summary.redirect_url,
        connect_url=summary.connect_url,
        return_origins=return_origins.split(),
        retired_at=retired_at,
        standing=standing(report.state),
        problems=[standing(each) for each in report.problems],
        clocks=shapes.Clocks(
            zoom_to_dashboard=_clock(report.zoom_status),
            dashboard_to_recall=_clock(report.recall_status),
        ),
        setup=[
            shapes.SetupStep(
                key=step.key,
                title=step.title,
                is_done=step.is_done,
                is_proven=step.is_proven,
                at=step.at,
                proof=step.proof or "",
                next_step=step.next or "",
            )
            for step in report.setup.steps
        ],
    )


def webhook(row: webhook_rows.Webhook, fact: Fact) -> shapes.Webhook:
    """Draw a webhook and how its delivery stands."""
    return shapes.Webhook(
        id=str(row.id),
        zoom_app_id=row.zoom_app_id,
        event=row.event,
        received_at=row.received_at,
        meeting_id=row.meeting_id,
        zoom_user_id=row.zoom_user_id,
        zoom_account_id=row.zoom_account_id,
        outcome=row.outcome,
        standing=standing(fact),
        attempts=row.attempts,
        arrivals=row.arrivals,
        delivered_at=row.delivered_at,
    )


def webhook_detail(trace: Trace, fact: Fact, shown: Shown) -> shapes.WebhookDetail:
    """Draw a webhook with its body as it may be shown."""
    return shapes.WebhookDetail(
        **webhook(trace.webhook, fact).model_dump(),
        body=shown.text,
        is_body_cut=shown.is_cut,
        why_hidden=shown.why_hidden,
        why_not_resend=trace.why_not_resend,
        deliveries=[
            shapes.DeliveryAttempt(
                started_at=each.started_at,
                took_ms=each.latency_ms,
                status=each.status,
                words=each.verdict,
            )
            for each in trace.attempts
        ],
    )


def event(row: event_rows.Event) -> shapes.Event:
    """Draw an event as it is sent."""
    return shapes.Event.model_validate_json(events.message(row))


def explanation(found: Answer) -> shapes.Explanation:
    """Draw what Explain found."""
    verdict = found.verdict
    return shapes.Explanation(
        asked=found.asked.shown,
        not_understood=list(found.asked.unread),
        verdict=verdict.id,
        sentence=verdict.sentence,
        who_must_act=verdict.who,
        next_step=verdict.step,
        also=verdict.also_plain,
        possible_reasons=list(verdict.reasons),
        connection_id=found.connection_id,
        evidence=[
            shapes.EvidenceLine(at=line.at, source=line.source, words=line.words)
            for line in found.lines
        ],
    )


def resend(resend_id: int, webhook_id: int) -> shapes.Resend:
    """Draw that a webhook is queued once more; IDs are too long for a number."""
    return shapes.Resend(resend_id=str(resend_id), webhook_id=str(webhook_id))


def made_invitation(
    row: invitation_rows.Invitation, url: str, *, now: datetime
) -> shapes.MadeInvitation:
    """Draw a link just made, with its address."""
    drawn = invitation(row, now=now)
    return shapes.MadeInvitation(**drawn.model_dump(), url=url)


def _clock(status: ValidationStatus) -> shapes.Clock:
    return shapes.Clock(
        state=status.state,
        label=status.word,
        sentence=status.sentence,
        since=status.since,
        next_due_at=status.next_due_at,
        failures=status.failures,
    )
