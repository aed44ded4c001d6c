"""Finds when each set-up step was first seen, from the rows that prove it.

Each query is about one zoom app and uses an index, or a bounded part of one.
Source of what proves what: docs/contracts/recall.md 3.3 and 3.5,
docs/contracts/zoom.md 5.5; checked 2026-11-23.
"""

from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import union_all
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from dashboard.models.check import Check, Finding, Source
from dashboard.models.connection import (
    AttemptOutcome,
    ConnectAttempt,
    Connection,
    MeetingMapping,
)
from dashboard.models.watch import Milestone
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import Kind, TokenCustody, ZoomApp
from dashboard.services.facts.acting import Problem
from dashboard.services.facts.zoom_apps import pair_problem
from dashboard.services.setup.steps import StepKey
from dashboard.services.validation.evidence import CHALLENGE
from dashboard.services.validation.states import timed
from dashboard.services.zoom_apps import scopes

STRETCH = 500
"""So many of the first and of the newest rows are looked at where no index tells."""

# Our own test makes Recall say "validated" too; a response takes no longer.
_PROBE_TAKES = timedelta(seconds=30)


def find(
    session: Session, app: ZoomApp, keys: Collection[StepKey]
) -> dict[StepKey, Milestone]:
    """Return the milestones of these steps, as far as they were seen.

    Args:
        session: Reading.
        app: Of which.
        keys: What to look for.
    """
    return {
        key: found
        for key in StepKey
        if key in keys and (found := _FINDERS[key](session, app)) is not None
    }


def milestone(  # noqa: PLR0913 - the facts of one sighting, all named
    app_id: UUID,
    key: StepKey,
    *,
    at: datetime,
    proof: str,
    webhook_id: int | None = None,
    connection_id: UUID | None = None,
) -> Milestone:
    """Return a milestone, not stored. The proof names no user and holds no secret."""
    return Milestone(
        zoom_app_id=app_id,
        key=key.value,
        at=at,
        proof=proof[:300],
        webhook_id=webhook_id,
        connection_id=connection_id,
    )


def _pair(_: Session, app: ZoomApp) -> Milestone | None:
    if pair_problem(app) is not Problem.NONE or app.checked_at is None:
        return None
    said = "Zoom accepted the client ID and client secret."
    return milestone(app.id, StepKey.PAIR, at=app.checked_at, proof=said)


def _recall_app(_: Session, app: ZoomApp) -> Milestone | None:
    if app.recall_app_id is None:
        return None
    return milestone(
        app.id,
        StepKey.RECALL_APP,
        at=app.recall_created_at or app.created_at,
        proof=f"Recall app ID: {app.recall_app_id}",
    )


def _challenge(session: Session, app: ZoomApp) -> Milestone | None:
    found = session.exec(_good(app, Source.ZOOM_CHALLENGE).limit(1)).first()
    return None if found is None else _of_check(StepKey.CHALLENGE, found)


def _recall_validated(session: Session, app: ZoomApp) -> Milestone | None:
    since = col(Check.at) >= app.secret_token_set_at
    firsts = [
        _good(app, source).where(since).limit(1).with_only_columns(col(Check.id))
        for source in (Source.RECALL_CHALLENGE, Source.RECALL_PROBE, Source.RECALL_API)
    ]
    ids = union_all(*(select(each.subquery().c.id) for each in firsts))
    query = select(Check).where(col(Check.id).in_(ids)).order_by(col(Check.id)).limit(1)
    first = session.exec(query).first()
    return None if first is None else _of_check(StepKey.RECALL_VALIDATED, first)


def _zoom_validated(session: Session, app: ZoomApp) -> Milestone | None:
    probes = session.exec(_good(app, Source.RECALL_PROBE).limit(STRETCH)).all()
    for told in session.exec(_good(app, Source.RECALL_API).limit(STRETCH)):
        at = told.told_at or told.at
        is_ours = any(
            probe.id < told.id and probe.at - _PROBE_TAKES <= at <= probe.at
            for probe in probes
        )
        if not is_ours:
            return _of_check(StepKey.ZOOM_VALIDATED, told)
    return None


def _user(session: Session, app: ZoomApp) -> Milestone | None:
    query = (
        select(Connection)
        .where(col(Connection.zoom_app_id) == app.id)
        .order_by(col(Connection.connected_at), col(Connection.id))
    )
    found = session.exec(query.limit(1)).first()
    if found is None:
        return None
    return milestone(
        app.id,
        StepKey.USER,
        at=found.connected_at,
        proof="Connected",
        connection_id=found.id,
    )


MATCHES = "matches"
"""`marketplace.subscription_rules.State.MATCHES`, a room beside this one."""

_NEVER_CAME_BACK = (AttemptOutcome.OPEN, AttemptOutcome.ABANDONED)


def _redirect(session: Session, app: ZoomApp) -> Milestone | None:
    query = (
        select(ConnectAttempt.ended_at)
        .where(
            col(ConnectAttempt.zoom_app_id) == app.id,
            col(ConnectAttempt.outcome).not_in(_NEVER_CAME_BACK),
            col(ConnectAttempt.ended_at).is_not(None),
        )
        .order_by(col(ConnectAttempt.created_at), col(ConnectAttempt.id))
    )
    at = session.exec(query.limit(1)).first()
    if at is None:
        return None
    said = "Zoom sent a browser back to it."
    return milestone(app.id, StepKey.REDIRECT, at=at, proof=said)


def first_event(session: Session, app: ZoomApp) -> Webhook | None:
    """Return the first event of Zoom's that is still stored."""
    return session.exec(
        select(Webhook)
        .where(col(Webhook.zoom_app_id) == app.id, col(Webhook.event) != CHALLENGE)
        .order_by(col(Webhook.id))
        .limit(1)
    ).first()


def mapped_by_an_event(app_id: UUID, *, at: datetime) -> Milestone:
    """Return the milestone of events that Zoom sends to Recall, shown by a mapping."""
    said = (
        "Recall mapped a new meeting after its sync had ended, so Zoom's "
        "meeting.created reached it."
    )
    return milestone(app_id, StepKey.EVENT, at=at, proof=said)


def _event(session: Session, app: ZoomApp) -> Milestone | None:
    found = first_event(session, app)
    if found is None:
        return _subscribed(app)
    said = f"First event: {found.event or 'no name'}, signature valid."
    return milestone(
        app.id,
        StepKey.EVENT,
        at=found.received_at,
        proof=said,
        webhook_id=found.id,
    )


def _subscribed(app: ZoomApp) -> Milestone | None:
    """Return that Zoom itself listed both events for our URL, asked by API."""
    at = app.subscription_checked_at
    if app.subscription_state != MATCHES or at is None:
        return None
    said = "Zoom's subscription has the webhook URL and both events, asked via API."
    return milestone(app.id, StepKey.EVENT, at=at, proof=said)


def _delivery(session: Session, app: ZoomApp) -> Milestone | None:
    found = session.exec(_taken(app.id)).first()
    if found is None or found.delivered_at is None:
        return None
    return milestone(
        app.id,
        StepKey.DELIVERY,
        at=found.delivered_at,
        proof=f"Recall accepted {found.event or 'an event without a name'}.",
        webhook_id=found.id,
    )


def _taken(app_id: UUID) -> SelectOfScalar[Webhook]:
    # No index covers delivered webhooks, and a long backlog may come before or after
    # them.
    of_app = select(Webhook.id).where(col(Webhook.zoom_app_id) == app_id)
    stretches = (
        of_app.order_by(order).limit(STRETCH).subquery()
        for order in (col(Webhook.id).asc(), col(Webhook.id).desc())
    )
    ids = union_all(*(select(each.c.id) for each in stretches))
    return (
        select(Webhook)
        .where(
            col(Webhook.id).in_(ids),
            col(Webhook.delivered_at).is_not(None),
            col(Webhook.event) != CHALLENGE,
        )
        .order_by(col(Webhook.id))
        .limit(1)
    )


def _mapping(session: Session, app: ZoomApp) -> Milestone | None:
    # A health check stores it; this finds the ones from before it did.
    stretch = (
        select(Connection.id)
        .where(col(Connection.zoom_app_id) == app.id)
        .limit(STRETCH)
        .subquery()
    )
    found = session.exec(
        select(MeetingMapping)
        .where(col(MeetingMapping.connection_id).in_(select(stretch.c.id)))
        # Not by the key: PostgreSQL would read all mappings in its order to find one.
        .order_by(col(MeetingMapping.synced_at), col(MeetingMapping.id))
        .limit(1)
    ).first()
    if found is None:
        return None
    return meeting_mapped(app.id, at=found.seen_at, connection_id=found.connection_id)


def meeting_mapped(app_id: UUID, *, at: datetime, connection_id: UUID) -> Milestone:
    """Return the milestone of a mapped meeting."""
    return milestone(
        app_id,
        StepKey.MAPPING,
        at=at,
        proof="Recall mapped a meeting",
        connection_id=connection_id,
    )


def scopes_proved(
    app_id: UUID, kind: Kind, *, at: datetime, connection_id: UUID
) -> Milestone:
    """Return the milestone of all scopes, verified by calls that need each."""
    what = "profile" if kind is Kind.USER_LEVEL else "users"
    return milestone(
        app_id,
        StepKey.SCOPES,
        at=at,
        proof=f"{what}, meetings and join token checked",
        connection_id=connection_id,
    )


def _scopes(session: Session, app: ZoomApp) -> Milestone | None:
    """Return the first whose scopes are known by name and complete.

    What is proved by calls is stored by the look that made them.
    """
    for row in known_scopes(session, app):
        names = set((row.scopes or "").split())
        if not scopes.missing(names, app):
            return milestone(
                app.id,
                StepKey.SCOPES,
                at=row.token_checked_at or row.connected_at,
                proof="granted by name",
                connection_id=row.id,
            )
    return None


def known_scopes(session: Session, app: ZoomApp) -> Iterator[Connection]:
    """Yield connections whose scopes are known by name, newest first.

    Recall does not tell them, so with its custody there are none to look for.
    """
    if app.token_custody is TokenCustody.RECALL:
        return
    yield from session.exec(
        select(Connection)
        .where(
            col(Connection.zoom_app_id) == app.id,
            col(Connection.scopes).is_not(None),
        )
        .order_by(col(Connection.connected_at).desc(), col(Connection.id))
        .limit(STRETCH)
    )


_FINDERS: dict[StepKey, Callable[[Session, ZoomApp], Milestone | None]] = {
    StepKey.PAIR: _pair,
    StepKey.RECALL_APP: _recall_app,
    StepKey.CHALLENGE: _challenge,
    StepKey.RECALL_VALIDATED: _recall_validated,
    StepKey.ZOOM_VALIDATED: _zoom_validated,
    StepKey.USER: _user,
    StepKey.EVENT: _event,
    StepKey.REDIRECT: _redirect,
    StepKey.DELIVERY: _delivery,
    StepKey.MAPPING: _mapping,
    StepKey.SCOPES: _scopes,
}


def _good(app: ZoomApp, source: Source) -> SelectOfScalar[Check]:
    return (
        select(Check)
        .where(
            col(Check.zoom_app_id) == app.id,
            col(Check.source) == source,
            col(Check.finding) == Finding.GOOD,
        )
        .order_by(col(Check.id))
    )


def _of_check(key: StepKey, check: Check) -> Milestone:
    return milestone(
        check.zoom_app_id,
        key,
        at=check.told_at or check.at,
        proof=timed(check),
        webhook_id=check.webhook_id,
    )
