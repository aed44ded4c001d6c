"""The webhook log: pages by key, one webhook with all that happened to it.

Nothing here counts a table or skips rows by number: both cost with the table's size.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from dashboard.errors import NotFoundError
from dashboard.models.connection import Connection, MeetingMapping
from dashboard.models.ids import first_id
from dashboard.models.webhook import Arrival, Attempt, Outcome, Webhook, WebhookBody
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.paging import Place, turn
from dashboard.services.spans import age_words
from dashboard.vault import Vault

COUNTED = 100
"""Counts go this far; one more means "100+"."""

_EVENTS_LISTED = 40


@dataclass(frozen=True, kw_only=True)
class WebhookFilter:
    """What to list; None means any.

    Attributes:
        since: Received at this instant or later, aware.
        until: Received before this instant, aware.
    """

    zoom_app_id: UUID | None = None
    event: str | None = None
    outcome: Outcome | None = None
    meeting_id: int | None = None
    zoom_user_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


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
    """Rows newest first; `older_before` and `newer_after` as in `paging.Turn`."""

    rows: Sequence[Row]
    older_before: int | None
    newer_after: int | None


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One webhook from Zoom's event to Recall's answer.

    Attributes:
        attempts: Oldest first, as are the repeats.
        repeats: Further arrivals of the same webhook.
        connection: The person it is about, when connected; None otherwise.
        is_mapped: Whether Recall maps the meeting to a connection, as last seen.
    """

    webhook: Webhook
    app: ZoomApp
    attempts: Sequence[Attempt]
    repeats: Sequence[Arrival]
    connection: Connection | None
    is_mapped: bool

    @property
    def zoom_delay(self) -> timedelta | None:
        """From Zoom's `event_ts` to the arrival; None when it says nothing usable."""
        if self.webhook.event_ts is None:
            return None
        arrived_ms = self.webhook.received_at.timestamp() * 1000
        return timedelta(milliseconds=arrived_ms - self.webhook.event_ts)

    @property
    def resend_trouble(self) -> str:
        """Why it cannot be sent again; "" when it can."""
        match self.webhook.outcome:
            case Outcome.WAITING if self.app.recall_app_id is None:
                return "It waits until this zoom app is in Recall."
            case Outcome.WAITING:
                return "It is waiting to be sent already."
            case Outcome.KEPT:
                return "It was only kept: Zoom posted it to Recall itself."
            case _:
                return ""


@dataclass(frozen=True, kw_only=True)
class Request:
    """The request exactly as it came; header names are lower case."""

    headers: list[tuple[str, str]]
    body: bytes


def page(session: Session, *, filters: WebhookFilter, place: Place) -> Page:
    """Return a page of the log, newest first."""
    query = select(Webhook).where(*_conditions(filters))
    found = turn(session, query, Webhook.id, place)
    return Page(
        rows=_rows(session, found.rows),
        older_before=found.older_before,
        newer_after=found.newer_after,
    )


def count_newer(session: Session, *, filters: WebhookFilter, than: int) -> int:
    """Return how many came after the webhook of this id, at most `COUNTED` + 1."""
    return _capped(session, *_conditions(filters), col(Webhook.id) > than)


def count(session: Session, *, filters: WebhookFilter) -> int:
    """Return how many there are, at most `COUNTED` + 1."""
    return _capped(session, *_conditions(filters))


def events(session: Session) -> Sequence[str]:
    """Return the event names that were received, sorted; one look each, by index."""
    found: list[str] = []
    while len(found) < _EVENTS_LISTED:
        query = select(func.min(Webhook.event))
        if found:
            query = query.where(col(Webhook.event) > found[-1])
        name = session.exec(query).one()
        if name is None:
            break
        found.append(name)
    return found


def app_names(session: Session) -> dict[UUID, str]:
    """Return each zoom app's name with its environment, by name."""
    query = select(ZoomApp.id, ZoomApp.name, ZoomApp.environment).order_by(
        col(ZoomApp.name), col(ZoomApp.environment)
    )
    return {
        app_id: f"{name} ({environment})"
        for app_id, name, environment in session.exec(query)
    }


def get(session: Session, webhook_id: int) -> Trace:
    """Return one webhook with its attempts and what it is about.

    Raises:
        NotFoundError: There is none, or it was pruned.
    """
    webhook = session.get(Webhook, webhook_id)
    if webhook is None:
        raise NotFoundError("webhook")
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
    mapped = _mapped_to(session, webhook)
    return Trace(
        webhook=webhook,
        app=session.get_one(ZoomApp, webhook.zoom_app_id),
        attempts=session.exec(attempts).all(),
        repeats=session.exec(repeats).all(),
        connection=_connection_of(session, webhook) or mapped,
        is_mapped=mapped is not None,
    )


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


def _conditions(filters: WebhookFilter) -> list[ColumnElement[bool]]:
    # Time is a bound of the key: ids begin with the millisecond of arrival.
    pairs = [
        (col(Webhook.zoom_app_id), filters.zoom_app_id),
        (col(Webhook.event), filters.event),
        (col(Webhook.outcome), filters.outcome),
        (col(Webhook.meeting_id), filters.meeting_id),
        (col(Webhook.zoom_user_id), filters.zoom_user_id),
    ]
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in pairs if value is not None
    ]
    if filters.since is not None:
        conditions.append(col(Webhook.id) >= first_id(filters.since))
    if filters.until is not None:
        conditions.append(col(Webhook.id) < first_id(filters.until))
    return conditions


def _capped(session: Session, *conditions: ColumnElement[bool]) -> int:
    some = select(Webhook.id).where(*conditions).limit(COUNTED + 1).subquery()
    return session.exec(select(func.count()).select_from(some)).one()


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


def _connection_of(session: Session, webhook: Webhook) -> Connection | None:
    if webhook.zoom_user_id is None:
        return None
    query = select(Connection).where(
        col(Connection.zoom_app_id) == webhook.zoom_app_id,
        col(Connection.zoom_user_id) == webhook.zoom_user_id,
    )
    return session.exec(query).first()


def _mapped_to(session: Session, webhook: Webhook) -> Connection | None:
    if webhook.meeting_id is None:
        return None
    query = (
        select(Connection)
        .join(MeetingMapping, col(MeetingMapping.connection_id) == col(Connection.id))
        .where(
            col(MeetingMapping.meeting_id) == webhook.meeting_id,
            col(Connection.zoom_app_id) == webhook.zoom_app_id,
        )
    )
    return session.exec(query).first()
