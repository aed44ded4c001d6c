"""Links, tabs and counts of the webhook log's pages."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from flask import url_for

from dashboard.db import Session
from dashboard.models.webhook import Outcome, Refusal
from dashboard.services.paging import IdPage
from dashboard.services.validation.evidence import CHALLENGE
from dashboard.services.webhook_log import log, refused
from dashboard.services.webhook_log.log import COUNTED, Count, Page, WebhookFilter

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

    `live_url` shows the same page anew; `held_url`, on the first page, the same rows
    and how many are newer: for a reader who has scrolled down. `turned` is the part of
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
        "told": refused.tell(page.rows, app_names=app_names),
        "tabs": _tabs(session, filters, links, is_refused=True),
        "app_names": app_names,
        "causes": refused.by_cause(
            session, since=now - _DAY, zoom_app_id=filters.zoom_app_id
        ),
        "live_url": url_for("webhooks.refused_index", **links),
        **_turns("webhooks.refused_index", page, links),
    }


def newer_words(session: Session, filters: WebhookFilter, top: int | None) -> str:
    """Return how many came after the row `top` that is held: "7", "100+"; "" for none.

    `top` is None on a page that holds nothing.
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
    number = refused.count(session, zoom_app_id=filters.zoom_app_id)
    return [
        tab("All", None),
        tab("Waiting", counted(outcome=Outcome.WAITING), outcome="waiting"),
        tab("Dead", counted(outcome=Outcome.DEAD), outcome="dead"),
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
