"""Looking at one connection: claim, commit, ask, record, commit; a lease each."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col

from dashboard.clients.recall.replies import CredentialStatus
from dashboard.db import leases
from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services.connections import (
    asking,
    asking_held,
    mappings,
    members,
    recording,
)
from dashboard.services.connections.asking import Look
from dashboard.services.connections.connections import get
from dashboard.services.erasure import erasures
from dashboard.services.recall import workspaces
from dashboard.services.runtime import Runtime
from dashboard.services.setup import checklist
from dashboard.services.timeline import notes
from dashboard.services.token_states import join_tokens
from dashboard.services.token_states import pace as pacing
from dashboard.services.token_states.pace import Pace
from dashboard.services.token_states.rules import blocking_error

LEASE = timedelta(minutes=2)
"""Longer than the calls of a look can take with their time-outs."""


SOON = timedelta(seconds=3)


_MEETINGS_TRIED = 5


def refresh(
    runtime: Runtime, connection_id: UUID, *, is_thorough: bool = False
) -> Connection:
    """Look at a connection now and return it as it stands then; commits.

    While another look is under way, returns it as it stands without asking anybody.

    Args:
        runtime: All of them.
        connection_id: Which.
        is_thorough: Fetch a join token even if the scopes were proved before, and list
            an account's users even if that was done a moment ago.

    Raises:
        NotFoundError: There is no such connection.
        ConflictError: Its zoom app is not in Recall any more.
        UpstreamError: Recall or Zoom could not say: a 429, an outage, a web page. The
            connection stays as it was seen last and is looked at again by itself.
    """
    found = look(runtime, connection_id, for_person=True, is_thorough=is_thorough)
    if found is not None:
        refusal = blocking_error(found.seen, now=runtime.clock.now())
        if refusal is not None:
            raise refusal
    with runtime.database.reading() as session:
        return get(session, connection_id)


def look(  # noqa: PLR0913 - what a look depends on, all named
    runtime: Runtime,
    connection_id: UUID,
    *,
    for_person: bool = False,
    is_thorough: bool = False,
    pace: Pace | None = None,
    is_over: threading.Event | None = None,
) -> Look | None:
    """Claim, ask, record; commits. None when somebody else is looking.

    Args:
        runtime: All of them; for background work those `in_background()`.
        connection_id: Which.
        for_person: Ask everything: somebody waits for it.
        is_thorough: Fetch a join token even if the scopes were proved before.
        pace: How soon the next look comes; counted when left out.
        is_over: Set when nothing may be written any more.

    Raises:
        NotFoundError: There is no such connection.
        ConflictError: Its zoom app is not in Recall any more.
    """
    now = runtime.clock.now()
    if pace is None:
        with runtime.database.reading() as session:
            pace = pacing.current(session)
    with runtime.database.writing() as session:
        taken = _claim(session, connection_id, now=now)
        if taken is None:
            return None
        app = _app_of(session, taken)
        recall, _ = workspaces.recall_of(runtime, session, app)
        asks = _asks(session, taken, now=now, is_everything=for_person)
        if is_thorough:
            asks = replace(asks, has_join=True)
        asks_members = app.kind is Kind.ACCOUNT_LEVEL and (
            is_thorough or members.is_due(session, taken, now=now)
        )
    found = asking_held.ask(runtime, recall, taken, kind=app.kind, asks=asks)
    listed = members.ask(runtime.zoom, found.seen, now=now) if asks_members else None
    if is_over is not None and is_over.is_set():
        return None
    with runtime.database.writing() as session:
        row = _held(session, taken)
        if row is not None:
            now = runtime.clock.now()
            refusal = blocking_error(found.seen, now=now)
            if refusal is None:
                with notes.watching(session, row, at=now):
                    recording.record(session, row, found, now=now, pace=pace)
                members.record(session, row, listed, now=now)
                erasures.consider(session, runtime.vault, row, now=now)
            else:
                recording.postpone(row, refusal, now=now)
            row.lease_until = None
    return found


def _asks(
    session: Session, row: Connection, *, now: datetime, is_everything: bool
) -> asking.Asks:
    """Return what a look asks besides a token: no more than is needed to be sure."""
    is_syncing = row.sync_status in asking.SYNCING
    is_settled = (
        row.recall_status == CredentialStatus.HEALTHY
        and row.token_state is TokenState.HEALTHY
        and row.deauthorized_at is None
    )
    has_join = (
        row.token_state is TokenState.MISSING_SCOPES
        or bool(row.recording_block)
        or join_tokens.is_due(row, now=now)
        or checklist.is_missing(session, row.zoom_app_id, checklist.StepKey.SCOPES)
    )
    meetings = mappings.known(session, row.id, limit=_MEETINGS_TRIED)
    is_hopeful = row.token_state in (TokenState.HEALTHY, TokenState.UNKNOWN)
    return asking.Asks(
        has_record=is_everything or is_syncing or not is_settled,
        has_mappings=is_everything or (is_hopeful and not meetings),
        is_syncing=is_syncing,
        has_join=has_join,
        meetings=meetings,
        turn=row.claim,
    )


def _claim(
    session: Session, connection_id: UUID, *, now: datetime
) -> Connection | None:
    """Take the connection until `now` + LEASE, or return None if it is taken.

    Raises:
        NotFoundError: There is no such connection.
    """
    is_it = col(Connection.id) == connection_id
    is_mine = leases.claim(session, Connection, is_it, until=now + LEASE, now=now)
    row = get(session, connection_id)
    return row if is_mine else None


def _held(session: Session, taken: Connection) -> Connection | None:
    """Return the connection if nobody has claimed or renewed it since."""
    is_it = col(Connection.id) == taken.id
    return leases.held(session, Connection, is_it, claim=taken.claim)


def is_free(now: datetime) -> ColumnElement[bool]:
    """Return the condition of those that nobody looks at."""
    return leases.is_free(Connection.lease_until, now)


def _app_of(session: Session, row: Connection) -> ZoomApp:
    return session.get_one(ZoomApp, row.zoom_app_id)
