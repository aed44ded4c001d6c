"""Zoom's own log of what it sent for an app (docs/contracts/zoom.md 5.9).

Field names and types are those of Rivet. It does not say whether `status` is the HTTP
status of the answer, so a switch shows another reading.
"""

import json
from datetime import UTC, date, datetime

from dashboard.sandbox.zoom.errors import ApiError
from dashboard.sandbox.zoom.records import Attempt, Delivery, ZoomApp
from dashboard.sandbox.zoom.state import State

# Zoom's internal codes (docs/contracts/zoom.md 5.6); any other failure is a -7.
_CODES = {"ReadTimeout": -1, "ConnectError": -2, "ConnectTimeout": -4}
_REMOTE_ERROR = -7
_DELIVERED, _FAILED = 1, 2


def rows(
    state: State, app: ZoomApp, *, since: str, until: str, event: str
) -> list[dict[str, object]]:
    """Return every attempt of those days, newest first.

    Args:
        state: The data; its lock is held.
        app: Whose.
        since: First day, `YYYY-MM-DD`; "" for today.
        until: Last day.
        event: Name of an event; "" for all.

    Raises:
        ApiError: A day is no day.
    """
    today = state.now().astimezone(UTC).date()
    first, last = _day(since, today, "from"), _day(until, today, "to")
    found = [
        ((attempt.at, delivery.id), _row(state, delivery, attempt))
        for delivery in state.deliveries
        if delivery.client_id == app.client_id and event in ("", delivery.event)
        for attempt in delivery.attempts
        if first <= attempt.at.astimezone(UTC).date() <= last
    ]
    found.sort(key=lambda pair: pair[0], reverse=True)
    return [row for _, row in found]


def _row(state: State, delivery: Delivery, attempt: Attempt) -> dict[str, object]:
    failed = not attempt.succeeded()
    code = _CODES.get(attempt.error, _REMOTE_ERROR) if attempt.error else 0
    status: int = attempt.status or 0
    if state.switches.webhook_log == "flag":
        status = _FAILED if failed else _DELIVERED
    return {
        "event": delivery.event,
        "status": status,
        "failed_reason_type": code if failed else 0,
        "user_id": "",
        "endpoint": delivery.url,
        "subscription_id": "",
        "request_headers": json.dumps({"x-zm-request-timestamp": attempt.timestamp}),
        "request_body": delivery.body.decode(errors="replace"),
        "response_headers": json.dumps(attempt.answer_headers),
        "response_body": attempt.answer,
        "date_time": f"{attempt.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "trace_id": f"sim-{delivery.id}-{delivery.attempts.index(attempt)}",
    }


def _day(text: str, default: date, field: str) -> date:
    if not text:
        return default
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        errors = [{"field": field, "message": "Invalid date."}]
        raise ApiError(400, 300, "Validation Failed.", errors=errors) from None
