"""Which zoom app replaces which, and which users have reconnected to the new one.

Recall cannot change a client ID, so production is an app of its own beside development
and every user consents again (docs/contracts/recall.md 7.3, checked 2026-11-23). A
user is the same at both by the Zoom user ID, a whole account by the Zoom account ID.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, case
from sqlalchemy.orm import Mapped, aliased
from sqlmodel import Session, col, func, select

from dashboard.errors import ConflictError
from dashboard.models.connection import SETTLED, Connection
from dashboard.models.zoom_app import Kind, ZoomApp

TAKEN = "This app already has a production app. Unlink that one first."


@dataclass(frozen=True, kw_only=True)
class Move:
    """From one zoom app to the one that replaces it; both are of one kind."""

    from_id: UUID
    to_id: UUID
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How many of the former app's connections have moved on."""

    moved: int
    total: int

    @property
    def left(self) -> int:
        """How many have not."""
        return self.total - self.moved

    @property
    def percent(self) -> int:
        """The share that has, rounded down: 100 only when nobody is left."""
        return self.moved * 100 // self.total if self.total else 0


@dataclass(frozen=True, kw_only=True)
class Mover:
    """A connection of the former app, and the same user's of the new one."""

    connection: Connection
    following: Connection | None

    @property
    def has_moved(self) -> bool:
        """As `has_moved` below judges it."""
        there = self.following
        return there is not None and there.token_state not in SETTLED


def successor(session: Session, app: ZoomApp) -> ZoomApp | None:
    """Return the zoom app that replaces this one, or None."""
    query = select(ZoomApp).where(col(ZoomApp.succeeds_id) == app.id)
    return session.exec(query).first()


def predecessor(session: Session, app: ZoomApp) -> ZoomApp | None:
    """Return the zoom app that this one replaces, or None."""
    return None if app.succeeds_id is None else session.get(ZoomApp, app.succeeds_id)


def between(former: ZoomApp, following: ZoomApp) -> Move:
    """Return the move from one to the other."""
    return Move(from_id=former.id, to_id=following.id, kind=former.kind)


def require_free(session: Session, zoom_app_id: UUID) -> None:
    """Refuse a second successor; of two callers that write, the later one waits.

    Raises:
        ConflictError: The zoom app has one.
    """
    own = select(ZoomApp).where(col(ZoomApp.id) == zoom_app_id).with_for_update()
    app = session.exec(own).one()
    if successor(session, app) is not None:
        raise ConflictError(TAKEN)


def progress(session: Session, move: Move) -> Progress:
    """Count the former app's connections, and those that have moved on."""
    moved = func.sum(case((has_moved(move), 1), else_=0))
    query = select(func.count(), moved).where(
        col(Connection.zoom_app_id) == move.from_id
    )
    total, done = session.exec(query).one()
    return Progress(moved=done or 0, total=total)


def has_moved(move: Move) -> ColumnElement[bool]:
    """Return the condition that the user of a `Connection` has moved on.

    A connection of the new app counts unless it has to be made again itself: the
    former app may be all that covers the user's meetings then.
    """
    there = aliased(Connection)
    return (
        select(there.id)
        .where(
            col(there.zoom_app_id) == move.to_id,
            _key(there, move.kind) == _key(Connection, move.kind),
            col(there.token_state).not_in(SETTLED),
        )
        .correlate(Connection)
        .exists()
    )


def movers(session: Session, move: Move, rows: Sequence[Connection]) -> Sequence[Mover]:
    """Put to each of these connections the new app's, in the same order."""
    wanted = {_value(row, move.kind) for row in rows} - {None}
    query = select(Connection).where(
        col(Connection.zoom_app_id) == move.to_id,
        _key(Connection, move.kind).in_(wanted),
    )
    there = {_value(one, move.kind): one for one in session.exec(query)}
    return [
        Mover(connection=row, following=there.get(_value(row, move.kind)))
        for row in rows
    ]


def _key(connection: type[Connection], kind: Kind) -> Mapped[str | None]:
    if kind is Kind.USER_LEVEL:
        return col(connection.zoom_user_id)
    return col(connection.zoom_account_id)


def _value(row: Connection, kind: Kind) -> str | None:
    return row.zoom_user_id if kind is Kind.USER_LEVEL else row.zoom_account_id
