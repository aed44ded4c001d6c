"""The webhook log's pages: links, tabs and counts, files, and views of a body."""

import base64
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask import Response, url_for

from dashboard.db import Database, Session
from dashboard.models.webhook import Outcome, Refusal
from dashboard.services.facts import webhooks as facts
from dashboard.services.paging import IdPage
from dashboard.services.receiver import refusals
from dashboard.services.validation.evidence import CHALLENGE
from dashboard.services.webhook_log import log, redaction
from dashboard.services.webhook_log.log import COUNTED, Page
from dashboard.services.webhook_log.search import Count, WebhookFilter
from dashboard.web import exports

_DAY = timedelta(hours=24)

Links = dict[str, Any]
"""The filter's part of a query string."""


def list_context(
    session: Session,
    page: Page,
    *,
    filters: WebhookFilter,
    turned: Links,
    links: Links,
) -> dict[str, Any]:
    """Return what the list's templates need.

    `live_url` shows the same page again; `held_url`, on the first page, the same rows
    and how many are newer, for a reader who has scrolled down. `turned` is the part of
    the query string that turns pages.
    """
    top = page.rows[0].webhook.id if page.rows and not turned else None
    csv, json_ = (url_for("webhooks.index", **links, format=x) for x in ("csv", "json"))
    return {
        "everyone_url": url_for(
            "webhooks.index", **{k: v for k, v in links.items() if k != "connection"}
        ),
        "csv_url": csv,
        "json_url": json_,
        "found": page,
        "is_filtered": bool(links),
        "tabs": _tabs(session, filters, links),
        "first_url": url_for("webhooks.index", **links),
        "live_url": url_for("webhooks.index", **links, **turned),
        "held_url": url_for("webhooks.index", **links, top=top) if top else None,
        **_turns("webhooks.index", page, links, is_first=not turned),
    }


def refused_context(
    session: Session,
    page: IdPage[Refusal],
    *,
    filters: WebhookFilter,
    links: Links,
    now: datetime,
) -> dict[str, Any]:
    """Return what the templates of the refused requests need."""
    app_names = log.app_names(session)
    return {
        "rows": refusals.rows(page.rows, app_names=app_names),
        "tabs": _tabs(session, filters, links, is_refused=True),
        "app_names": app_names,
        "causes": refusals.by_cause(
            session, since=now - _DAY, zoom_app_id=filters.zoom_app_id
        ),
        "live_url": url_for("webhooks.refused_index", **links),
        **_turns("webhooks.refused_index", page, links),
    }


def newer_words(session: Session, filters: WebhookFilter, top: int | None) -> str:
    """Return how many came after the row `top`: "7", "100+"; "" for none.

    `top` is None on a page that keeps no row.
    """
    if top is None:
        return ""
    found = log.count_newer(session, filters=filters, than=top)
    return _counted(found) or "" if found.number else ""


def _counted(count: Count) -> str | None:
    # "3+" when not all was looked at; nothing at all rather than "0+".
    if count.is_whole or count.number > COUNTED:
        return _capped(count.number)
    return f"{count.number}+" if count.number else None


def _turns(
    endpoint: str, page: Page | IdPage[Refusal], links: Links, *, is_first: bool = False
) -> dict[str, Any]:
    older, newer = page.older_before, None if is_first else page.newer_after
    return {
        "older_url": url_for(endpoint, **links, before=older) if older else None,
        "newer_url": url_for(endpoint, **links, after=newer) if newer else None,
    }


def _tabs(
    session: Session, filters: WebhookFilter, links: Links, *, is_refused: bool = False
) -> list[dict[str, object]]:
    rest: Links = {k: v for k, v in links.items() if k not in ("outcome", "event")}

    def counted(**over: Any) -> str | None:  # noqa: ANN401 - fields of the filter
        plain = replace(filters, outcome=None, event=None)
        return _counted(log.count(session, filters=replace(plain, **over)))

    def tab(label: str, count: str | None, **view: Any) -> dict[str, object]:  # noqa: ANN401 - as above
        chosen = {k: v for k, v in links.items() if k in ("outcome", "event")}
        return {
            "label": label,
            "url": url_for("webhooks.index", **rest, **view),
            "is_current": not is_refused and chosen == view,
            "count": count,
        }

    app: Links = {k: v for k, v in links.items() if k == "zoom_app"}
    number = refusals.count_sample(session, zoom_app_id=filters.zoom_app_id)
    return [
        tab("All", None),
        tab("Waiting", counted(outcome=Outcome.WAITING), outcome="waiting"),
        tab("Failed", counted(outcome=Outcome.DEAD), outcome="dead"),
        tab("Validation", counted(event=CHALLENGE), event=CHALLENGE),
        {
            "label": "Refused",
            "url": url_for("webhooks.refused_index", **app),
            "is_current": is_refused,
            "count": _capped(number),
        },
    ]


def _capped(number: int) -> str:
    return f"{COUNTED}+" if number > COUNTED else str(number)


_COLUMNS = (
    *("id", "received_at", "event", "event_ts", "zoom_app", "outcome"),
    *("outcome_reason", "attempts", "delivered_at", "arrivals", "answered_ms"),
    *("meeting_id", "zoom_user_id", "zoom_account_id", "verdict"),
    *("timing", "is_unreadable", "body_bytes", "body_sha256"),
    *("state", "who", "since"),
)


def list_file(
    database: Database, filters: WebhookFilter, kind: str, *, now: datetime
) -> Response:
    """Answer with everything that matches, streamed; `kind`: of `exports.FORMATS`."""
    with database.reading() as session:
        state_of = facts.Reader(session, now=now).load()
    rows = _rows(log.iterate_all(database, filters=filters), state_of)
    return exports.respond(kind, "webhooks", _COLUMNS, rows)


def _rows(
    found: Iterable[log.Row], state_of: facts.Reader
) -> Iterator[dict[str, object]]:
    for row in found:
        state = state_of(row.webhook)
        # An id has more digits than a spreadsheet or a browser's numbers keep.
        yield {
            **row.webhook.model_dump(include=set(_COLUMNS)),
            "id": str(row.webhook.id),
            "zoom_app": row.app_name,
            "state": state.state,
            "who": state.who.value,
            "since": state.since,
        }


_HEX_BYTES = 4096
_SHOWN_BYTES = 64 * 1024
_ROW = 16
_SENT_AGAIN = ("content-type", "clientid")
_ZOOMS = "x-zm-"


@dataclass(frozen=True, kw_only=True)
class BodyViews:
    """The same bytes in four views, each bounded; a download has them whole.

    Attributes:
        pretty: Indented when it is JSON, else as `raw`.
        raw: As text; bytes that are no text are escaped.
        hex: Offset, bytes, characters; the first 4 KB.
        is_pretty_cut: Whether there is more than `pretty` shows.
        is_raw_cut: Likewise `raw`; then `curl` posts the downloaded file.
        is_hex_cut: Likewise `hex`.
        curl: A command that posts the same request to the dashboard.
    """

    pretty: str
    raw: str
    hex: str
    is_pretty_cut: bool
    is_raw_cut: bool
    is_hex_cut: bool
    curl: str


def body_views(
    body: bytes, headers: Iterable[tuple[str, str]], *, url: str, file: str
) -> BodyViews:
    """Return the views of a body, for people who may see all of it.

    Args:
        body: The request's bytes.
        headers: The request's headers.
        url: Where `curl` posts it.
        file: The name of the downloaded body.
    """
    raw = body[:_SHOWN_BYTES].decode(errors="backslashreplace")
    is_cut = len(body) > _SHOWN_BYTES
    shown = redaction.indented(body)
    return BodyViews(
        pretty=shown.text if shown.is_readable else raw,
        raw=raw,
        hex=_hex(body[:_HEX_BYTES]),
        is_pretty_cut=shown.is_cut if shown.is_readable else is_cut,
        is_raw_cut=is_cut,
        is_hex_cut=len(body) > _HEX_BYTES,
        curl=_curl(body, headers, url, file=file if is_cut else None),
    )


def body_file(body: bytes, *, name: str) -> Response:
    """Answer with the bytes of a body as a file, exactly as received."""
    response = Response(body, mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _hex(data: bytes) -> str:
    rows = []
    for start in range(0, len(data), _ROW):
        row = data[start : start + _ROW]
        seen = "".join(chr(each) if 32 <= each < 127 else "." for each in row)  # noqa: PLR2004 - printable ASCII
        rows.append(f"{start:08x}  {row.hex(' '):<47}  {seen}")
    return "\n".join(rows)


def _curl(
    body: bytes, headers: Iterable[tuple[str, str]], url: str, *, file: str | None
) -> str:
    # Only what Zoom signs and says of itself: a proxy's headers or a credential of an
    # older kind of Zoom app stay out of it.
    sent = [
        f"-H {shlex.quote(f'{name}: {value}')}"
        for name, value in headers
        if name.startswith(_ZOOMS) or name in _SENT_AGAIN
    ]
    if file is not None:
        return _posting(url, sent, data=f"@{file}")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if text and "\0" not in text and not text.startswith("@"):
        return _posting(url, sent, data=shlex.quote(text))
    before = f"echo {base64.b64encode(body).decode()} | base64 -d | "
    return before + _posting(url, sent, data="@-")


def _posting(url: str, sent: Sequence[str], *, data: str) -> str:
    parts = [f"curl {shlex.quote(url)}", *sent, f"--data-binary {data}"]
    return " \\\n  ".join(parts)
