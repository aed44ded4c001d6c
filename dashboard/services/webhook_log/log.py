"""The webhook log: pages by key, counts as far as they matter, a request's bytes.

Nothing here counts a table or skips rows by number: both cost with the table's size.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.db import Database
from dashboard.errors import NotFoundError
from dashboard.formatting import age_words
from dashboard.models.connection import Connection
from dashboard.models.ids import time_of
from dashboard.models.webhook import Webhook, WebhookBody
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.paging import Place
from dashboard.services.webhook_log.filters import WebhookFilter, wanted
from dashboard.services.webhook_log.search import Count, count_as_far, event_names, find
from dashboard.services.webhook_log.traces import Trace, get
from dashboard.vault import Vault

COUNTED = 100
"""Counts go this far; one more means "100+"."""

_BATCH = 500

__all__ = [
    "COUNTED",
    "Count",
    "Page",
    "Request",
    "Row",
    "Trace",
    "WebhookFilter",
    "app_names",
    "count",
    "count_newer",
    "event_names",
    "everything",
    "get",
    "page",
    "request",
]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A webhook as listed; `who` is the connected person's name or e-mail, or ""."""

    webhook: Webhook
    app_name: str
    who: str

    @property
    def took(self) -> str:
        """How long after its arrival Recall had it: "210 ms"; "" until it has."""
        if self.webhook.delivered_at is None:
            return ""
        return age_words(self.webhook.delivered_at - self.webhook.received_at)


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows newest first; `older_before` and `newer_after` as in `paging.IdPage`.

    Attributes:
        reached_at: How far the search came when it did not fill the page, for there may
            be more beyond; None otherwise.
    """

    rows: Sequence[Row]
    older_before: int | None
    newer_after: int | None
    reached_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """The request exactly as it came; header names are lower case."""

    headers: list[tuple[str, str]]
    body: bytes

    @property
    def names(self) -> list[str]:
        """The names of the headers, as they came; nothing of them is secret."""
        return [name for name, _ in self.headers]


def page(session: Session, *, filters: WebhookFilter, place: Place) -> Page:
    """Return a page of the log, newest first."""
    found = find(session, wanted(session, filters), place=place)
    return Page(
        rows=_rows(session, found.rows),
        older_before=found.older_before,
        newer_after=found.newer_after,
        reached_at=None if found.reached is None else time_of(found.reached),
    )


def everything(database: Database, *, filters: WebhookFilter) -> Iterator[Row]:
    """Yield all that match, newest first; no transaction is open between batches."""
    before: int | None = None
    while True:
        with database.reading() as session:
            place = Place(before=before, limit=_BATCH)
            found = page(session, filters=filters, place=place)
        yield from found.rows
        before = found.older_before
        if before is None:
            return


def count_newer(session: Session, *, filters: WebhookFilter, than: int) -> Count:
    """Count what came after the webhook of this id, as far as `COUNTED` + 1."""
    looked_for = wanted(session, filters)
    newer = replace(looked_for, above=max(looked_for.above, than))
    return count_as_far(session, newer, most=COUNTED + 1)


def count(session: Session, *, filters: WebhookFilter) -> Count:
    """Count what there is, as far as `COUNTED` + 1."""
    return count_as_far(session, wanted(session, filters), most=COUNTED + 1)


def app_names(session: Session) -> dict[UUID, str]:
    """Return each zoom app's name with its environment, by name."""
    query = select(ZoomApp.id, ZoomApp.name, ZoomApp.environment).order_by(
        col(ZoomApp.name), col(ZoomApp.environment)
    )
    return {
        app_id: f"{name} ({environment})"
        for app_id, name, environment in session.exec(query)
    }


def request(session: Session, vault: Vault, webhook_id: int) -> Request:
    """Return the bytes and headers exactly as received: sensitive, see `redaction`.

    Raises:
        NotFoundError: There is no such webhook.
        VaultError: They were sealed with a key that is not here.
    """
    stored = session.get(WebhookBody, webhook_id)
    if stored is None:
        raise NotFoundError("webhook")
    headers = vault.open(
        stored.headers, table="webhook_body", column="headers", row=webhook_id
    )
    body = vault.open(stored.body, table="webhook_body", column="body", row=webhook_id)
    pairs = [(str(name), str(value)) for name, value in json.loads(headers)]
    return Request(headers=pairs, body=body)


def _rows(session: Session, found: Sequence[Webhook]) -> Sequence[Row]:
    names = app_names(session)
    people = select(
        Connection.zoom_app_id,
        Connection.zoom_user_id,
        Connection.display_name,
        Connection.email,
    ).where(
        col(Connection.zoom_user_id).in_(
            {webhook.zoom_user_id for webhook in found if webhook.zoom_user_id}
        )
    )
    who = {
        (app_id, user_id): name or email
        for app_id, user_id, name, email in session.exec(people)
    }
    return [
        Row(
            webhook=webhook,
            app_name=names[webhook.zoom_app_id],
            who=who.get((webhook.zoom_app_id, webhook.zoom_user_id), ""),
        )
        for webhook in found
    ]
