"""A resend's filter as the log's query string, and back: what was chosen is kept."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from dashboard.errors import InvalidInputError
from dashboard.models.webhook import Outcome
from dashboard.services.webhook_log.log import WebhookFilter

_LONGEST = 1000


@dataclass(frozen=True, kw_only=True)
class _Way:
    """How one field is written: its name in the query, there and back."""

    name: str
    write: Callable[[Any], str] = str
    read: Callable[[str], Any] = str


def _written(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# A field that is missing here cannot be resent by: it is refused, never left out.
_WAYS = {
    "zoom_app_id": _Way(name="zoom_app", read=UUID),
    "event": _Way(name="event"),
    "outcome": _Way(name="outcome", read=Outcome),
    "meeting_id": _Way(name="meeting", read=int),
    "zoom_user_id": _Way(name="user"),
    "zoom_account_id": _Way(name="account"),
    "connection_id": _Way(name="connection", read=UUID),
    "since": _Way(name="since", write=_written, read=_instant),
    "until": _Way(name="until", write=_written, read=_instant),
}
_FIELDS = {way.name: field for field, way in _WAYS.items()}


def to_query(filters: WebhookFilter) -> str:
    """Write a filter as the query string of `/webhooks`; "" for everything.

    Raises:
        InvalidInputError: It cannot be written whole, so nothing may be resent by it.
    """
    asked = {
        each.name: value
        for each in fields(filters)
        if (value := getattr(filters, each.name)) is not None
    }
    if strange := asked.keys() - _WAYS.keys():
        raise InvalidInputError(f"Nothing can be resent by {', '.join(strange)}.")
    query = urlencode(
        {_WAYS[name].name: _WAYS[name].write(value) for name, value in asked.items()}
    )
    if len(query) > _LONGEST:
        raise InvalidInputError("This filter is too long to be kept.")
    return query


def from_query(query: str) -> WebhookFilter:
    """Read what `to_query` wrote.

    Raises:
        ValueError: It holds something else; nothing may be resent by it.
    """
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    if strange := {name for name, _ in pairs} - _FIELDS.keys():
        raise ValueError(f"no filter: {sorted(strange)}")
    return WebhookFilter(
        **{_FIELDS[name]: _WAYS[_FIELDS[name]].read(value) for name, value in pairs}
    )
