"""Pages of a list: where a request wants to be, and the addresses beside it."""

from collections.abc import Iterable
from urllib.parse import urlencode

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


def with_query(address: str, names: Iterable[str], **changes: str | None) -> str:
    """Return an address with this request's query, some of it changed.

    Args:
        address: Without a query.
        names: Of the query; the others are left out.
        changes: None leaves one out.
    """
    query = {**{name: request.args.get(name) for name in names}, **changes}
    kept = urlencode({name: value for name, value in query.items() if value})
    return address + (f"?{kept}" if kept else "")
