"""Cursor pages of the lists (docs/contracts/recall.md 1.4)."""

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlencode

from flask import request

from dashboard.sandbox.recall.here import RefusalError, world

Place = tuple[str, int]


class Listed(Protocol):
    """Something a list can hold."""

    seq: int

    @property
    def ordered_by(self) -> datetime:
        """The instant lists are ordered by, aware, UTC."""

    def as_json(self) -> dict[str, Any]:
        """Return the API's object."""


def page(items: Iterable[Listed], *, ordering: str) -> dict[str, Any]:
    """Return the page of `items` that the query's cursor asks for, newest first.

    Args:
        items: All items that pass the filters.
        ordering: The one value of `?ordering=` that turns the list, oldest first; any
            other is ignored, as Django REST does.

    Raises:
        RefusalError: 404, the cursor was not made here.
    """
    ascending = request.args.get("ordering") == ordering
    ordered = sorted(items, key=_place, reverse=not ascending)
    places = [_place(one) for one in ordered]
    size = world().switches.page_size
    begin, end = _bounds(places, size, ascending=ascending)
    return {
        "next": _url(_FORTH, places[end - 1]) if end < len(places) else None,
        "previous": _url(_BACK, places[begin]) if 0 < begin < len(places) else None,
        "results": [one.as_json() for one in ordered[begin:end]],
    }


_FORTH, _BACK = "f", "r"


def _place(item: Listed) -> Place:
    return item.ordered_by.isoformat(timespec="microseconds"), item.seq


def _bounds(places: list[Place], size: int, *, ascending: bool) -> tuple[int, int]:
    """Return begin and end of the page: after the cursor's place, or before it."""
    cursor = request.args.get("cursor")
    if not cursor:
        return 0, min(size, len(places))
    direction, mark = _decoded(cursor)
    if direction == _FORTH:
        passed = [one <= mark if ascending else one >= mark for one in places]
        begin = sum(passed)
        return begin, min(begin + size, len(places))
    ahead = [one < mark if ascending else one > mark for one in places]
    end = sum(ahead)
    return max(0, end - size), end


def _url(direction: str, place: Place) -> str:
    """Return the absolute URL of a page, the query's filters kept."""
    text = f"{direction}|{place[0]}|{place[1]}"
    cursor = base64.urlsafe_b64encode(text.encode()).decode()
    query = {**request.args.to_dict(), "cursor": cursor}
    return f"{request.base_url}?{urlencode(query)}"


def _decoded(cursor: str) -> tuple[str, Place]:
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
        direction, at, seq = text.split("|")
        return direction, (at, int(seq))
    except (binascii.Error, ValueError):
        raise RefusalError(404, {"detail": "Invalid cursor"}) from None
