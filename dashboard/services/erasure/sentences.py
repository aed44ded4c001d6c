"""Sentences that stay, without the person they name.

Words of Zoom's or Recall's end up in some columns, and what staff chose in others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, Table
from sqlmodel import Session, SQLModel, and_, col, func, or_, select, update

from dashboard.models.audit import AuditEntry
from dashboard.models.check import Check
from dashboard.models.connection import ConnectAttempt
from dashboard.models.hold import Hold
from dashboard.models.invitation import Invitation
from dashboard.models.resend import Resend, ResendState
from dashboard.services.erasure.redaction import Covering, Person

_NEEDLES_AT_ONCE = 50


@dataclass(frozen=True)
class _Place:
    """A column whose text may name somebody."""

    model: type[SQLModel]
    column: str

    @property
    def table(self) -> Table:
        return SQLModel.metadata.tables[str(self.model.__tablename__)]

    @property
    def columns(self) -> tuple[Column[Any], Column[Any]]:
        """The key of the row, and the column."""
        return self.table.c.id, self.table.c[self.column]

    @property
    def longest(self) -> int | None:
        return getattr(self.table.c[self.column].type, "length", None)

    @property
    def is_of_app(self) -> bool:
        return "zoom_app_id" in self.table.c


class Change(NamedTuple):
    """A sentence: where, as it is, as it shall be."""

    place: _Place
    key: object
    text: str
    covered: str


_SENTENCES = (
    _Place(AuditEntry, "subject"),
    _Place(Check, "detail"),
    _Place(ConnectAttempt, "detail"),
    _Place(Hold, "reason"),
    _Place(Invitation, "tried_as"),
    _Place(Resend, "query"),
)


def changes(session: Session, person: Person, covering: Covering) -> Sequence[Change]:
    """Return the sentences that name the person, and what shall stand there.

    Reads each column whole, so it asks in a reading session.
    """
    return [
        change
        for place in _SENTENCES
        for at in range(0, len(covering.needles), _NEEDLES_AT_ONCE)
        for change in _changes_of(
            session, place, person, covering, at=slice(at, at + _NEEDLES_AT_ONCE)
        )
    ]


def _changes_of(
    session: Session, place: _Place, person: Person, covering: Covering, *, at: slice
) -> Iterator[Change]:
    key, column = place.columns
    # Both: SQLite lowers ASCII only.
    names_them = or_(
        *(
            condition
            for needle in covering.needles[at]
            for condition in (
                column.contains(needle, autoescape=True),
                func.lower(column).contains(needle.lower(), autoescape=True),
            )
        )
    )
    query = select(key, column).where(names_them)
    if place.is_of_app:
        query = query.where(place.table.c.zoom_app_id == person.zoom_app_id)
    for row_key, text in session.exec(query):
        if place.model is Resend:
            covered = covering.cover(text, words="erased", number="0")
        else:
            covered = covering.cover(text)
        if covered != text:
            yield Change(place, row_key, text, covered[: place.longest])


def apply(session: Session, changes: Sequence[Change]) -> None:
    """Write them, each only where it stands as it was; the caller commits."""
    for change in changes:
        key, column = change.place.columns
        is_it = and_(key == change.key, column == change.text)
        if change.place.model is Resend:
            # One that is listing still finds its webhooks by it.
            is_it = and_(is_it, col(Resend.state) != ResendState.GATHERING)
        session.exec(
            update(change.place.model)
            .where(is_it)
            .values({change.place.column: change.covered})
            .execution_options(synchronize_session=False)
        )


def still_gathering(session: Session, covering: Covering) -> int:
    """Count the resends that list by a query that names the person: not changed yet."""
    queries = select(Resend.query).where(col(Resend.state) == ResendState.GATHERING)
    return sum(covering.cover(query) != query for query in session.exec(queries))
