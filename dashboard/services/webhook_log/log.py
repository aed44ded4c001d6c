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
from dashboard.formatting import age_words, duration_words
from dashboard.models.circuit import OpenCircuit
from dashboard.models.connection import Connection, MeetingMapping
from dashboard.models.ids import time_of
from dashboard.models.resend import Redelivery, Resend
from dashboard.models.webhook import (
    Arrival,
    Attempt,
    Mark,
    Outcome,
    Webhook,
    WebhookBody,
)
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.erasure.redaction import of_webhook
from dashboard.services.facts import zoom_log
from dashboard.services.facts.zoom_log import SentByZoom
from dashboard.services.paging import Place
from dashboard.services.webhook_log.search import (
    Count,
    WebhookFilter,
    count_as_far,
    criteria,
    find,
)
from dashboard.vault import Vault

COUNTED = 100
"""Counts go this far; one more means "100+"."""

_BATCH = 500


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
        reached_at: How far back the search went when it did not fill the page and there
            may be more; None otherwise.
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
    found = find(session, criteria(session, filters), place=place)
    return Page(
        rows=_rows(session, found.rows),
        older_before=found.older_before,
        newer_after=found.newer_after,
        reached_at=None if found.reached is None else time_of(found.reached),
    )


def iterate_all(database: Database, *, filters: WebhookFilter) -> Iterator[Row]:
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
    looked_for = criteria(session, filters)
    newer = replace(looked_for, above=max(looked_for.above, than))
    return count_as_far(session, newer, most=COUNTED + 1)


def count(session: Session, *, filters: WebhookFilter) -> Count:
    """Count what there is, as far as `COUNTED` + 1."""
    return count_as_far(session, criteria(session, filters), most=COUNTED + 1)


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


@dataclass(frozen=True, kw_only=True)
class Resent:
    """A resend of this webhook: its own delivery, and who asked for it."""

    redelivery: Redelivery
    resend: Resend


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One webhook from Zoom's event to Recall's answer.

    Attributes:
        attempts: Oldest first, as are the repeats; those of resends among them.
        repeats: Further arrivals of the same webhook.
        connection: The person it is about, when connected; None otherwise.
        mapping: Recall's mapping of the meeting, as last seen; None without one.
        mapped: The connection of that mapping.
        resends: Oldest first.
        open_circuits: What pauses its delivery now.
        failed_before: Zoom's failed tries by its own log, oldest first.
    """

    webhook: Webhook
    app: ZoomApp
    attempts: Sequence[Attempt]
    repeats: Sequence[Arrival]
    connection: Connection | None
    mapping: MeetingMapping | None = None
    mapped: Connection | None = None
    resends: Sequence[Resent] = ()
    open_circuits: Sequence[OpenCircuit] = ()
    failed_before: Sequence[SentByZoom] = ()

    @property
    def is_mapped(self) -> bool:
        """Whether Recall maps the meeting to a connection, as last seen."""
        return self.mapping is not None

    @property
    def oddities(self) -> Sequence[str]:
        """What each mark of the webhook means, as sentences."""
        return oddities(self.webhook)

    @property
    def why_not_resend(self) -> str:
        """Why it cannot be sent again; "" when it can."""
        if self.webhook.erased_at is not None:
            return of_webhook(self.webhook.erased_at)
        match self.webhook.outcome:
            case Outcome.WAITING if self.app.recall_app_id is None:
                return "It waits until this zoom app is in Recall."
            case Outcome.WAITING:
                return "It is already queued."
            case Outcome.KEPT:
                return "It was not forwarded: Zoom posted it to Recall itself."
            case _:
                return ""


def oddities(webhook: Webhook) -> Sequence[str]:
    """Return what each mark of a webhook means, as sentences."""
    age_s = webhook.received_at.timestamp() - webhook.sent_at_s
    words = {
        Mark.LATE: f"Late: Zoom signed it {duration_words(age_s)} before it arrived, "
        "longer than Zoom's retries take. Recall may reject it for its age.",
        Mark.CLOCK: f"Clock: its timestamp was {duration_words(-age_s)} ahead of this "
        "server's clock. The operator of this server sets the clock (NTP).",
        Mark.UNREADABLE: "Unreadable: the body is no JSON object in UTF-8. It is "
        "forwarded byte for byte; the dashboard acts on what it can read of it.",
    }
    return [words[mark] for mark in webhook.marks]


def get(session: Session, webhook_id: int) -> Trace:
    """Return one webhook with its attempts and what it is about.

    Raises:
        NotFoundError: There is none, or it was pruned.
    """
    webhook = session.get(Webhook, webhook_id)
    if webhook is None:
        raise NotFoundError("webhook")
    app = session.get_one(ZoomApp, webhook.zoom_app_id)
    attempts = (
        select(Attempt)
        .where(col(Attempt.webhook_id) == webhook_id)
        .order_by(col(Attempt.id))
    )
    repeats = (
        select(Arrival)
        .where(col(Arrival.webhook_id) == webhook_id)
        .order_by(col(Arrival.id))
    )
    mapping, mapped = _mapping_of(session, webhook) or (None, None)
    return Trace(
        webhook=webhook,
        app=app,
        attempts=session.exec(attempts).all(),
        repeats=session.exec(repeats).all(),
        connection=_connection_of(session, webhook) or mapped,
        mapping=mapping,
        mapped=mapped,
        resends=resends_of(session, webhook_id),
        open_circuits=_open_circuits(session, app),
        failed_before=zoom_log.of_webhook(session, webhook),
    )


def _connection_of(session: Session, webhook: Webhook) -> Connection | None:
    if webhook.zoom_user_id is None:
        return None
    query = select(Connection).where(
        col(Connection.zoom_app_id) == webhook.zoom_app_id,
        col(Connection.zoom_user_id) == webhook.zoom_user_id,
    )
    return session.exec(query).first()


def _mapping_of(
    session: Session, webhook: Webhook
) -> tuple[MeetingMapping, Connection] | None:
    if webhook.meeting_id is None:
        return None
    query = (
        select(MeetingMapping, Connection)
        .join(Connection, col(MeetingMapping.connection_id) == col(Connection.id))
        .where(
            col(MeetingMapping.meeting_id) == webhook.meeting_id,
            col(Connection.zoom_app_id) == webhook.zoom_app_id,
        )
        .order_by(col(MeetingMapping.synced_at).desc())
    )
    return session.exec(query).first()


def resends_of(session: Session, webhook_id: int) -> Sequence[Resent]:
    """Return each time a webhook was sent again, oldest first."""
    query = (
        select(Redelivery, Resend)
        .join(Resend, col(Resend.id) == col(Redelivery.resend_id))
        .where(col(Redelivery.webhook_id) == webhook_id)
        .order_by(col(Redelivery.id))
    )
    return [
        Resent(redelivery=redelivery, resend=resend)
        for redelivery, resend in session.exec(query)
    ]


def _open_circuits(session: Session, app: ZoomApp) -> Sequence[OpenCircuit]:
    ids: list[UUID] = [each for each in (app.id, app.workspace_id) if each is not None]
    query = select(OpenCircuit).where(
        col(OpenCircuit.id).in_(ids), col(OpenCircuit.is_holding)
    )
    return session.exec(query.order_by(col(OpenCircuit.since))).all()
