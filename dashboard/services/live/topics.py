"""What changed, cheaply: a stamp of the whole database, then a version of each topic.

Versions are compared, never read: the same text means that nothing changed. They come
from the rows, so that any process that looks sees the same.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, text
from sqlmodel import Session, col, func, select

from dashboard.db import Database
from dashboard.db.columns import LARGEST_ID
from dashboard.models.audit import AuditEntry
from dashboard.models.check import Check, Source
from dashboard.models.circuit import OpenCircuit
from dashboard.models.connection import (
    Connection,
    ConnectionEvent,
    MeetingMapping,
    TokenState,
)
from dashboard.models.resend import Redelivery, RedeliveryOutcome, Resend
from dashboard.models.watch import Milestone
from dashboard.models.webhook import Arrival, Attempt, Refusal, Webhook
from dashboard.models.zoom_app import SecretChange, ZoomApp

WEBHOOKS = "webhooks"
CONNECTIONS = "connections"
OVERVIEW = "overview"

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TOPIC = re.compile(
    r"webhooks|connections|overview|webhook-(?P<webhook>[0-9]{1,19})"
    rf"|connection-(?P<connection>{_UUID})|zoom-app-(?P<zoom_app>{_UUID})"
    r"|resend-(?P<resend>[0-9]{1,19})"
)

_CHANGE_COLUMNS = (
    col(SecretChange.id),
    col(SecretChange.recall_due_at),
    col(SecretChange.recall_error),
    col(SecretChange.zoom_seen_at),
    col(SecretChange.previous_until),
    col(SecretChange.ended_at),
)


def is_topic(name: str) -> bool:
    """Whether a page may ask to be told about this."""
    return _parse(name) is not None


def zoom_app_of(topic: str) -> UUID | None:
    """Return whose page a topic belongs to; None when it is not one zoom app's."""
    found = _parse(topic)
    return UUID(found["zoom_app"]) if found and found["zoom_app"] else None


def about(topic: str) -> list[tuple[str, UUID | int]]:
    """Return what kind of thing a topic is about, and its ID; nothing of a list."""
    found = _parse(topic)
    return [
        (kind, int(text) if kind in ("webhook", "resend") else UUID(text))
        for kind, text in (found.groupdict().items() if found else ())
        if text
    ]


def stamp(session: Session, database: Database) -> str:
    """Return a text that differs after anybody's commit; costs microseconds.

    On SQLite ask the same connection each time: its number is the connection's own.
    """
    if database.is_sqlite:
        # https://www.sqlite.org/pragma.html#pragma_data_version
        statement = "PRAGMA data_version"
    else:
        # Each transaction that writes takes a number and gives it back at its end, so
        # the list of those under way differs after every commit.
        statement = "SELECT pg_current_snapshot()::text"
    return str(session.connection().execute(text(statement)).scalar_one())


def versions(
    session: Session, topics: Iterable[str], *, beside: str = ""
) -> dict[str, str]:
    """Return the version of each topic; what is no topic is left out.

    Every look is by key or over an index, whatever the tables' size.

    Args:
        session: Reading.
        topics: Which.
        beside: What every page shows as well: that no worker runs.
    """
    wanted = {name: found for name in topics if (found := _parse(name))}
    result: dict[str, str] = {}
    if OVERVIEW in wanted or WEBHOOKS in wanted:
        result[WEBHOOKS] = _webhooks(session)
    if OVERVIEW in wanted or CONNECTIONS in wanted:
        result[CONNECTIONS] = _connections(session)
    if OVERVIEW in wanted:
        checks = session.exec(select(func.max(Check.id))).one()
        apps = session.exec(select(func.sum(ZoomApp.version))).one()
        ticks = session.exec(select(func.count(col(Milestone.key)))).one()
        result[OVERVIEW] = _text(
            result[WEBHOOKS],
            result[CONNECTIONS],
            checks,
            apps,
            ticks,
            _rotations(session),
        )
    matches = list(wanted.values())
    result |= _each_webhook(
        session, [int(m["webhook"]) for m in matches if m["webhook"]]
    )
    result |= _each_connection(
        session, [UUID(m["connection"]) for m in matches if m["connection"]]
    )
    pages = _zoom_app_rows(
        session, [UUID(m["zoom_app"]) for m in matches if m["zoom_app"]]
    )
    result |= {f"zoom-app-{row.id}": _row(row) for row in pages}
    result |= _each_resend(session, [int(m["resend"]) for m in matches if m["resend"]])
    return {name: f"{result.get(name, 'gone')}{beside}" for name in wanted}


def _parse(name: str) -> re.Match[str] | None:
    found = _TOPIC.fullmatch(name)
    number = (found["webhook"] or found["resend"]) if found else None
    if number and int(number) > LARGEST_ID:
        return None  # no database takes such a number
    return found


def _webhooks(session: Session) -> str:
    # A new state comes with an attempt, or was a person's act and is in the audit log.
    newest = [Webhook.id, Attempt.id, Arrival.id, Refusal.id, AuditEntry.id]
    return _text(*(session.exec(select(func.max(key))).one() for key in newest))


def _rotations(session: Session) -> tuple[object, ...]:
    # A row a change of secrets ever made: there are few.
    found = session.exec(
        select(
            func.max(SecretChange.id),
            func.max(SecretChange.recall_due_at),
            func.count(col(SecretChange.recall_at)),
            func.count(col(SecretChange.ended_at)),
        )
    ).one()
    return tuple(found)


def _connections(session: Session) -> str:
    # A look sets a new due time, so the earliest and latest of them move; both, the
    # states and the numbers are read from indexes.
    states = session.exec(
        select(Connection.token_state, func.count())
        .group_by(col(Connection.token_state))
        .order_by(col(Connection.token_state))
    ).all()
    due = session.exec(
        select(func.min(Connection.due_at), func.max(Connection.due_at))
    ).one()
    numbers = session.exec(select(func.sum(Connection.pmi))).one()
    acts = session.exec(select(func.max(AuditEntry.id))).one()
    mapped = session.exec(select(func.max(MeetingMapping.id))).one()
    return _text(list(map(tuple, states)), tuple(due), numbers, acts, mapped)


def _each_webhook(session: Session, ids: list[int]) -> dict[str, str]:
    if not ids:
        return {}
    attempt = (
        select(func.max(Attempt.id))
        .where(col(Attempt.webhook_id) == col(Webhook.id))
        .scalar_subquery()
        .label("attempt")
    )
    # Each change of a resend is a claim, an attempt, its end or a new one.
    resent = (
        select(
            func.max(Redelivery.id) + func.sum(Redelivery.claim),
        )
        .where(col(Redelivery.webhook_id) == col(Webhook.id))
        .scalar_subquery()
        .label("resent")
    )
    ended = (
        select(func.count(col(Redelivery.ended_at)))
        .where(col(Redelivery.webhook_id) == col(Webhook.id))
        .scalar_subquery()
        .label("ended")
    )
    held = select(
        func.count(), func.sum(OpenCircuit.probes), func.max(OpenCircuit.probe_at)
    ).where(col(OpenCircuit.is_holding))
    holds = tuple(session.exec(held).one())
    rows = session.connection().execute(
        select(  # type: ignore[call-overload]  # SQLModel types at most four columns
            Webhook.id,
            Webhook.outcome,
            Webhook.attempts,
            Webhook.claim,
            Webhook.arrivals,
            Webhook.due_at,
            Webhook.outcome_reason,
            attempt,
            resent,
            ended,
        ).where(col(Webhook.id).in_(ids))
    )
    return {f"webhook-{row.id}": _text(*row, holds) for row in rows}


def _each_connection(session: Session, ids: list[UUID]) -> dict[str, str]:
    if not ids:
        return {}
    newest = (
        select(func.max(MeetingMapping.seen_at))
        .where(col(MeetingMapping.connection_id) == col(Connection.id))
        .scalar_subquery()
    )
    # A line may come late, with the time of its source: so both of these.
    ours = col(ConnectionEvent.connection_id) == col(Connection.id)
    told = select(func.max(ConnectionEvent.id)).where(ours).scalar_subquery()
    lines = select(func.count(col(ConnectionEvent.id))).where(ours).scalar_subquery()
    heard = (
        select(func.max(Webhook.id))
        .where(col(Webhook.zoom_user_id) == col(Connection.zoom_user_id))
        .scalar_subquery()
    )
    rows = session.connection().execute(
        select(  # type: ignore[call-overload,misc]  # as above
            Connection.id,
            Connection.token_state,
            Connection.token_reason,
            Connection.token_checked_at,
            Connection.token_expires_at,
            Connection.reconnected_at,
            Connection.recall_credential_id,
            Connection.pmi,
            Connection.sync_status,
            Connection.scopes,
            Connection.claim,
            newest.label("mapped"),
            Connection.recording_block,
            told.label("told"),
            lines.label("lines"),
            heard.label("heard"),
        ).where(col(Connection.id).in_(ids))
    )
    return {f"connection-{row.id}": _row(row) for row in rows}


def _each_resend(session: Session, ids: list[int]) -> dict[str, str]:
    if not ids:
        return {}
    # What happens to one of its rows changes how many wait, or how many were rejected.
    waiting = and_(
        col(Redelivery.resend_id) == col(Resend.id),
        col(Redelivery.outcome) == RedeliveryOutcome.WAITING,
    )
    rows = session.connection().execute(
        select(
            Resend.id,
            Resend.state,
            Resend.total,
            func.count(col(Redelivery.id)),
        )
        .add_columns(func.count(col(Redelivery.refused_at)))
        .join(Redelivery, waiting, isouter=True)
        .where(col(Resend.id).in_(ids))
        .group_by(col(Resend.id), col(Resend.state), col(Resend.total))
    )
    return {f"resend-{row.id}": _row(row) for row in rows}


def _row(row: Row[tuple[object, ...]]) -> str:
    return _text(*row)


def _text(*parts: object) -> str:
    return "|".join(map(str, parts))


def _zoom_app_rows(session: Session, ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    """Return a row for each zoom app that differs after anything of its page did.

    Every look is by key or over an index, whatever the tables' size.
    """
    if not ids:
        return []
    # One look a source: the index is (zoom_app_id, source, id).
    checks = [
        select(func.max(Check.id))
        .where(col(Check.zoom_app_id) == col(ZoomApp.id), col(Check.source) == source)
        .scalar_subquery()
        .label(source.value)
        for source in Source
    ]
    webhook = (
        select(func.max(Webhook.id))
        .where(col(Webhook.zoom_app_id) == col(ZoomApp.id))
        .scalar_subquery()
        .label("webhook")
    )
    connections = (
        select(func.count())
        .where(col(Connection.zoom_app_id) == col(ZoomApp.id))
        .scalar_subquery()
        .label("connections")
    )
    # How far the newest change of secrets has come.
    rotation = [
        select(column)
        .where(col(SecretChange.zoom_app_id) == col(ZoomApp.id))
        .order_by(col(SecretChange.id).desc())
        .limit(1)
        .scalar_subquery()
        .label(f"rotation_{number}")
        for number, column in enumerate(_CHANGE_COLUMNS)
    ]
    ticks = (
        select(func.count(col(Milestone.key)))
        .where(col(Milestone.zoom_app_id) == col(ZoomApp.id))
        .scalar_subquery()
        .label("ticks")
    )
    # What the set-up says of its scopes follows these. They are few at any time, so
    # `coalesce` keeps SQLite from reading all of the app's by the other index.
    app_id = func.coalesce(col(Connection.zoom_app_id), col(Connection.zoom_app_id))
    states = [
        select(func.count())
        .where(
            app_id == col(ZoomApp.id),
            col(Connection.token_state) == state,
        )
        .scalar_subquery()
        .label(state.value)
        for state in (TokenState.UNKNOWN, TokenState.MISSING_SCOPES)
    ]
    found = session.connection().execute(
        select(  # type: ignore[call-overload]  # SQLModel types at most four columns
            ZoomApp.id,
            ZoomApp.version,
            ZoomApp.verdict,
            ZoomApp.checked_at,
            ZoomApp.workspace_id,
            ZoomApp.recall_app_id,
            ZoomApp.create_key,
            webhook,
            connections,
            ticks,
            *states,
            *checks,
            *rotation,
        ).where(col(ZoomApp.id).in_(ids))
    )
    return found.all()
