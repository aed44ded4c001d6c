"""Old records that are no longer needed: refusals, connect attempts, links, resends.

Of a timeline the newest lines are kept, however old.

Every look is by key or over an index; where nothing is old it costs a few of them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, SQLModel, col, delete, exists, func, select
from sqlmodel.sql.expression import SelectOfScalar

from dashboard.models.check import Check, Finding, Source
from dashboard.models.connection import AttemptOutcome, ConnectAttempt, ConnectionEvent
from dashboard.models.ids import first_id
from dashboard.models.invitation import Invitation, InvitationState
from dashboard.models.resend import Redelivery, Resend
from dashboard.models.webhook import Refusal, RefusalCount
from dashboard.models.zoom_app import ZoomApp

CHECKS_KEPT = 20
"""Of each zoom app and source, however old: the status is made of them."""

LINES_KEPT = 500
"""Of each connection's own timeline."""

_NEWEST_LINES = 2000
_TIMELINES_AT_ONCE = 20


def prune(session: Session, *, cutoff: datetime, limit: int) -> int:
    """Delete at most so many rows older than that; the caller commits.

    Returns:
        How many; fewer than `limit` when nothing old is left.
    """
    left = limit
    for model, query in _old(session, cutoff):
        if left <= 0:
            break
        keys = session.exec(query.limit(left)).all()
        if keys:
            session.exec(delete(model).where(col(model.id).in_(keys)))  # type: ignore[attr-defined]  # each has one
        left -= len(keys)
    return limit - left


def _old(
    session: Session, cutoff: datetime
) -> Iterator[tuple[type[SQLModel], SelectOfScalar[Any]]]:
    end = first_id(cutoff)
    yield Refusal, select(Refusal.id).where(col(Refusal.id) < end)
    yield RefusalCount, select(RefusalCount.id).where(col(RefusalCount.id) < end)
    for app_id in session.exec(select(ZoomApp.id)).all():
        for source in Source:
            yield Check, _old_checks(session, app_id, source, end)
    for outcome in AttemptOutcome:
        if outcome is not AttemptOutcome.OPEN:
            yield ConnectAttempt, _old_attempts(outcome, cutoff)
    for connection_id in _long_timelines(session):
        yield ConnectionEvent, _old_lines(connection_id)
    for state in (InvitationState.EXPIRED, InvitationState.REVOKED):
        yield Invitation, _old_links(state, cutoff)
    yield (
        Invitation,
        _old_links(InvitationState.DONE, cutoff).where(
            col(Invitation.connection_id).is_(None)  # or it is the connection's story
        ),
    )
    # Its redeliveries went with their webhooks.
    yield (
        Resend,
        select(Resend.id).where(
            col(Resend.id) < end,
            col(Resend.ended_at) < cutoff,
            ~exists().where(col(Redelivery.resend_id) == col(Resend.id)),
        ),
    )


def _old_checks(
    session: Session, app_id: UUID, source: Source, end: int
) -> SelectOfScalar[int]:
    ours = select(Check.id).where(
        col(Check.zoom_app_id) == app_id, col(Check.source) == source
    )
    newest_first = ours.order_by(col(Check.id).desc())
    surplus = session.exec(newest_first.offset(CHECKS_KEPT).limit(1)).first()
    if surplus is None:
        return ours.where(col(Check.id) < 0)
    good = newest_first.where(col(Check.finding) == Finding.GOOD)
    newest_good = session.exec(good.limit(1)).first()
    return ours.where(
        col(Check.id) < end,
        col(Check.id) <= surplus,
        col(Check.id) != (newest_good or 0),
    )


def _old_attempts(outcome: AttemptOutcome, cutoff: datetime) -> SelectOfScalar[UUID]:
    """Those that made no connection, or one that is gone: the others are its story."""
    return select(ConnectAttempt.id).where(
        col(ConnectAttempt.outcome) == outcome,
        col(ConnectAttempt.expires_at) < cutoff,
        col(ConnectAttempt.connection_id).is_(None),
    )


def _long_timelines(session: Session) -> Sequence[UUID]:
    """Return whose timelines have grown too long: of those with young lines alone."""
    young = (
        select(ConnectionEvent.connection_id)
        .order_by(col(ConnectionEvent.id).desc())
        .limit(_NEWEST_LINES)
        .subquery()
    )
    whose = select(young.c.connection_id).distinct().subquery()
    # Counted one by one, by the index: grouped, all lines there are would be read.
    mine = col(ConnectionEvent.connection_id) == whose.c.connection_id
    number = select(func.count(col(ConnectionEvent.id))).where(mine).scalar_subquery()
    query = select(whose.c.connection_id).where(number > LINES_KEPT)
    return session.exec(query.limit(_TIMELINES_AT_ONCE)).all()


def _old_lines(connection_id: UUID) -> SelectOfScalar[int]:
    newest = col(ConnectionEvent.at).desc(), col(ConnectionEvent.id).desc()
    query = select(ConnectionEvent.id).where(
        col(ConnectionEvent.connection_id) == connection_id
    )
    return query.order_by(*newest).offset(LINES_KEPT)


def _old_links(state: InvitationState, cutoff: datetime) -> SelectOfScalar[UUID]:
    """Links of no use since then: they name people who did not connect."""
    return select(Invitation.id).where(
        col(Invitation.state) == state, col(Invitation.expires_at) < cutoff
    )
