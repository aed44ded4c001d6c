"""Connections: looking at one, looking at those due, what trips change.

Each look is a lease: claim, commit, ask, record, commit. Two processes never look at
one connection at once, and a slow one cannot overwrite what a later one saw.
"""

from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult
from sqlmodel import Session, col, or_, select, update

from dashboard.clients.recall_operations import Operation
from dashboard.clients.recall_replies import RecallCredential
from dashboard.errors import NotFoundError
from dashboard.models.connection import Connection, SyncStatus, TokenState
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services import attempts, budgets, erasing, milestones, profiles
from dashboard.services.bundle import Services
from dashboard.services.following import follow
from dashboard.services.token_states import held_up

LEASE = timedelta(minutes=2)
"""Longer than the five calls of a look can take with their time-outs."""

SOON = timedelta(seconds=3)
_NOT_SEEN = "Connected; not looked at yet. The next look comes by itself."
_ASKED = (Operation.CREDENTIALS_RETRIEVE, Operation.CREDENTIALS_ACCESS_TOKEN)


def get(session: Session, connection_id: UUID) -> Connection:
    """Return the connection.

    Raises:
        NotFoundError: There is none.
    """
    row = session.get(Connection, connection_id)
    if row is None:
        raise NotFoundError("connection")
    return row


def refresh(
    services: Services, connection_id: UUID, *, is_thorough: bool = False
) -> Connection:
    """Look at a connection now and return it as it stands then; commits.

    While another look is under way, returns it as it stands without asking anybody.

    Args:
        services: All of them.
        connection_id: Which.
        is_thorough: Fetch a join token even if the scopes were proved before.

    Raises:
        NotFoundError: There is no such connection.
        ConflictError: Its zoom app is not in Recall any more.
        UpstreamError: Recall is asked too often, a 429; the connection stays as it
            stood and is looked at when there is room.
    """
    found = _look(services, connection_id, is_thorough=is_thorough)
    if found is not None:
        refusal = held_up(found.seen, now=services.clock.now())
        if refusal is not None:
            raise refusal
    with services.database.reading() as session:
        return get(session, connection_id)


def check_due(services: Services, *, limit: int = 20) -> int:
    """Look at the connections that are due, longest due first; return how many.

    Makes those due first about whom webhooks came, and ends the trips to Zoom that
    never came back. Leaves a workspace alone whose budget has no room for background
    work, and stops early when Recall is asked too often. Commits.
    """
    now = services.clock.now()
    follow(services.database, now=now)
    with services.database.reading() as session:
        spent = budgets.without_room(session, _ASKED, now=now)
        query = (
            select(Connection.id)
            .join(ZoomApp, col(ZoomApp.id) == col(Connection.zoom_app_id))
            .where(
                col(Connection.due_at) <= now,
                _is_free(now),
                col(ZoomApp.recall_app_id).is_not(None),
                col(ZoomApp.workspace_id).not_in(spent),
            )
            .order_by(col(Connection.due_at))
            .limit(limit)
        )
        due = session.exec(query).all()
    _expire_trips(services, now)
    looked_at = 0
    for connection_id in due:
        found = _look(services, connection_id)
        looked_at += found is not None
        if found is not None and held_up(found.seen, now=now) is not None:
            break
    return looked_at


def is_known(session: Session, app: ZoomApp, credential: RecallCredential) -> bool:
    """Whether a credential, or its user or account, is a connection already."""
    return _find_same(session, app, credential) is not None


def connected(
    session: Session, app: ZoomApp, credential: RecallCredential, *, now: datetime
) -> tuple[Connection, bool]:
    """Return the connection of a credential just made or renewed, and if it is new.

    The caller commits and looks at it then: nothing is known of its token yet.
    """
    row = _find_same(session, app, credential)
    is_new = row is None
    if row is None:
        row = Connection(zoom_app_id=app.id, connected_at=now, due_at=now)
    else:
        row.reconnected_at = now
    row.recall_credential_id = credential.id
    row.zoom_user_id = credential.user_id or row.zoom_user_id
    row.zoom_account_id = credential.account_id or row.zoom_account_id
    row.token_state = TokenState.UNKNOWN
    row.token_reason, row.token_evidence = _NOT_SEEN, "Recall took the code."
    row.token_expires_at = row.deauthorized_at = None
    row.sync_status = SyncStatus.UNKNOWN
    row.due_at = now
    row.lease_until = None  # a look under way saw the grant before this one
    row.claim += 1
    session.add(row)
    session.flush()
    return row, is_new


def _look(
    services: Services, connection_id: UUID, *, is_thorough: bool = False
) -> profiles.Look | None:
    """Claim, ask, record. None when somebody else is looking."""
    now = services.clock.now()
    with services.database.writing() as session:
        taken = _claim(session, connection_id, now=now)
        if taken is None:
            return None
        app = _app_of(session, taken)
        recall, _ = profiles.recall_of(services, session, app)
        asks_join = (
            is_thorough
            or taken.token_state is TokenState.MISSING_SCOPES
            or milestones.is_open(session, app.id, milestones.Key.SCOPES)
        )
    found = profiles.look(
        recall,
        services.zoom,
        kind=app.kind,
        credential_id=taken.recall_credential_id,
        asks_join=asks_join,
        turn=taken.claim,
    )
    with services.database.writing() as session:
        row = _held(session, taken)
        if row is not None:
            now = services.clock.now()
            refusal = held_up(found.seen, now=now)
            if refusal is None:
                profiles.record(session, row, found, now=now)
                erasing.consider(session, services.vault, row, now=now)
            else:
                profiles.postpone(row, refusal, now=now)
            row.lease_until = None
    return found


def _claim(
    session: Session, connection_id: UUID, *, now: datetime
) -> Connection | None:
    """Take the connection until `now` + LEASE, or return None if it is taken.

    Raises:
        NotFoundError: There is no such connection.
    """
    done = session.exec(
        update(Connection)
        .where(col(Connection.id) == connection_id, _is_free(now))
        .values(lease_until=now + LEASE, claim=col(Connection.claim) + 1)
    )
    row = get(session, connection_id)
    return row if cast("CursorResult[object]", done).rowcount == 1 else None


def _held(session: Session, taken: Connection) -> Connection | None:
    """Return the connection if nobody has claimed or renewed it since."""
    query = select(Connection).where(
        col(Connection.id) == taken.id, col(Connection.claim) == taken.claim
    )
    return session.exec(query.with_for_update()).first()


def _is_free(now: datetime) -> ColumnElement[bool]:
    lease = col(Connection.lease_until)
    return or_(lease.is_(None), lease <= now)


def _expire_trips(services: Services, now: datetime) -> None:
    with services.database.reading() as session:
        if not attempts.any_expired(session, now=now):
            return
    with services.database.writing() as session:
        attempts.expire(session, now=now)


def _find_same(
    session: Session, app: ZoomApp, credential: RecallCredential
) -> Connection | None:
    query = select(Connection).where(col(Connection.zoom_app_id) == app.id)
    same = [col(Connection.recall_credential_id) == credential.id]
    if app.kind is Kind.USER_LEVEL and credential.user_id:
        same.append(col(Connection.zoom_user_id) == credential.user_id)
    if app.kind is Kind.ACCOUNT_LEVEL and credential.account_id:
        same.append(col(Connection.zoom_account_id) == credential.account_id)
    return session.exec(query.where(or_(*same)).with_for_update()).first()


def _app_of(session: Session, row: Connection) -> ZoomApp:
    return session.get_one(ZoomApp, row.zoom_app_id)
