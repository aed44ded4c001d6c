"""The webhook log as CSV or JSON, all of what a filter finds."""

from collections.abc import Iterable, Iterator

from flask import Response

from dashboard.db import Database
from dashboard.services.webhook_log import log
from dashboard.services.webhook_log.log import WebhookFilter
from dashboard.web import exports

FORMATS = ("csv", "json")

_COLUMNS = (
    *("id", "received_at", "event", "event_ts", "zoom_app", "outcome"),
    *("outcome_reason", "attempts", "delivered_at", "arrivals", "answered_ms"),
    *("meeting_id", "zoom_user_id", "zoom_account_id", "verdict"),
    *("body_bytes", "body_sha256"),
)


def list_file(database: Database, filters: WebhookFilter, kind: str) -> Response:
    """Answer with everything that matches, streamed; `kind` is one of `FORMATS`."""
    rows = _rows(log.everything(database, filters=filters))
    if kind == "csv":
        return exports.csv_file("webhooks", _COLUMNS, rows)
    return exports.json_list("webhooks", _COLUMNS, rows)


def _rows(found: Iterable[log.Row]) -> Iterator[dict[str, object]]:
    for row in found:
        # An id has more digits than a spreadsheet or a browser's numbers keep.
        yield {
            **row.webhook.model_dump(include=set(_COLUMNS)),
            "id": str(row.webhook.id),
            "zoom_app": row.app_name,
        }
