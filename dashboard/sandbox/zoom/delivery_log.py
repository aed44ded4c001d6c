"""Zoom's own log of what it sent for an app (docs/contracts/zoom.md 5.9).

As Zoom's reference has it; a switch shows the odd sides of its examples.
"""

import json
from datetime import UTC, datetime, timedelta

from dashboard.sandbox.zoom.errors import ApiError
from dashboard.sandbox.zoom.records import Attempt, Delivery, ZoomApp
from dashboard.sandbox.zoom.state import State

_CODES = {"ReadTimeout": 1, "ConnectError": 2, "ConnectTimeout": 4}
_REMOTE_ERROR = 7
_ALL, _FAILED, _DELIVERED = "1", "2", "3"
_KEPT = timedelta(days=7)


def rows(  # noqa: PLR0913 - what a query of Zoom's may say
    state: State, app: ZoomApp, *, since: str, until: str, event: str, kind: str
) -> list[dict[str, object]]:
    """Return the attempts of that time, newest first.

    Args:
        state: The data; its lock is held.
        app: Whose.
        since: First instant; "" for as far back as it goes.
        until: Last instant; "" for now.
        event: Name of an event; "" for all.
        kind: "1" all, "2" failed ones, which is the default, "3" delivered ones.

    Raises:
        ApiError: An instant is none, or further back than 7 days.
    """
    now = state.now().astimezone(UTC)
    first, last = _instant(since, now - _KEPT), _instant(until, now)
    if first < now - _KEPT - timedelta(minutes=1) or last - first > _KEPT:
        said = "The date range must be within the last seven days."
        raise ApiError(404, 1502, said)
    if last < first:
        raise ApiError(404, 1501, "The 'to' date must be after the 'from' date.")
    wanted = {_ALL: (False, True), _DELIVERED: (True,)}.get(kind, (False,))
    found = [
        ((attempt.at, delivery.id), _row(state, delivery, attempt))
        for delivery in state.deliveries
        if delivery.client_id == app.client_id and event in ("", delivery.event)
        for attempt in delivery.attempts
        if first <= attempt.at.astimezone(UTC).replace(microsecond=0) <= last
        and attempt.succeeded() in wanted
    ]
    found.sort(key=lambda pair: pair[0], reverse=True)
    return [row for _, row in found]


def _row(state: State, delivery: Delivery, attempt: Attempt) -> dict[str, object]:
    failed = not attempt.succeeded()
    code = _CODES.get(attempt.error, _REMOTE_ERROR) if attempt.error else 0
    at, is_odd = attempt.at.astimezone(UTC), state.switches.webhook_log == "odd"
    number = delivery.attempts.index(attempt)
    return {
        "event": delivery.event,
        "status": attempt.status or -1,
        "failed_reason_type": (-code if is_odd else code) if failed else 0,
        "user_id": "",
        "endpoint": delivery.url,
        "subscription_id": "",
        "request_headers": json.dumps({"x-zm-request-timestamp": attempt.timestamp}),
        "request_body": delivery.body.decode(errors="replace"),
        "response_headers": json.dumps(attempt.answer_headers),
        "response_body": attempt.answer,
        # The other form is that of the example in Zoom's reference.
        "date_time": f"{at:%Y-%m-%dT%H:%M:387Z}" if is_odd else f"{at:{_FORM}}",
        "trace_id": "WEB_sim",
        "request_id": f"sim-{delivery.id}",
        "retry_num": number,
    }


_FORM = "%Y-%m-%dT%H:%M:%SZ"


def _instant(text: str, default: datetime) -> datetime:
    if not text:
        return default
    try:
        return datetime.strptime(text, _FORM).replace(tzinfo=UTC)
    except ValueError:
        said = "The dates must follow the format: `yyyy-MM-dd'T'HH:mm:ss'Z'`."
        raise ApiError(404, 1503, said) from None
