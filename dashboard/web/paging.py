"""Where in a list by key a request wants to be: `before` and `after` of its query."""

from flask import request

from dashboard.db.columns import LARGEST_ID
from dashboard.services.paging import Place


def row_id(text: str) -> int:
    """Read an id out of a request; for `args.get(type=...)`.

    Raises:
        ValueError: It is none.
    """
    number = int(text)
    if not 0 <= number < LARGEST_ID:
        raise ValueError("no id")
    return number


def place(*, limit: int = 50) -> Place:
    """Return the place this request asks for; the top when it names none."""
    return Place(
        before=request.args.get("before", type=row_id),
        after=request.args.get("after", type=row_id),
        limit=limit,
    )
