"""Pages by key: rows that arrive meanwhile never shift what is being read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sqlmodel import Session, col
from sqlmodel.sql.expression import SelectOfScalar


class Keyed(Protocol):
    """A row whose id rises with time."""

    id: int


Row = TypeVar("Row", bound=Keyed)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in the list: at its top unless one of the ids is given.

    Attributes:
        before: Only ids below this one: the next older page.
        after: Only ids above this one, the nearest of them: the next newer page.
        limit: Rows of a page.
    """

    before: int | None = None
    after: int | None = None
    limit: int = 50


@dataclass(frozen=True, kw_only=True)
class Turn(Generic[Row]):
    """One page, newest first.

    Attributes:
        older_before: `before` of the next older page; None on the oldest.
        newer_after: `after` of the next newer page; None on the newest.
    """

    rows: Sequence[Row]
    older_before: int | None
    newer_after: int | None


def turn(
    session: Session, query: SelectOfScalar[Row], key: int, place: Place
) -> Turn[Row]:
    """Return the rows of a query (without order) at a place; `key` is `Model.id`."""
    column, query = col(key), query.limit(place.limit + 1)
    if place.after is not None:
        upward = query.where(column > place.after).order_by(column.asc())
        found = list(session.exec(upward))
        has_newer, has_older = len(found) > place.limit, True
        found = found[: place.limit][::-1]
    else:
        if place.before is not None:
            query = query.where(column < place.before)
        found = list(session.exec(query.order_by(column.desc())))
        has_newer, has_older = place.before is not None, len(found) > place.limit
        found = found[: place.limit]
    return Turn(
        rows=found,
        older_before=found[-1].id if found and has_older else None,
        newer_after=found[0].id if found and has_newer else None,
    )
