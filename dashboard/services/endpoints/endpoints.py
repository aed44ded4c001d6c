"""Endpoints of the customer's: add, rotate, pause, test, resend, and what came of it.

An endpoint for events has a signing secret, shown once. One for copies (a destination)
belongs to a zoom app and gets its webhooks as Recall gets them.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlmodel import Session, col, func, select, update

from dashboard.clients import delivery as wire
from dashboard.clients.http.public_only import url_problem
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.db.statements import rows_changed
from dashboard.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    SendError,
)
from dashboard.models.circuit import OpenCircuit
from dashboard.models.endpoint import (
    DeliveryOutcome,
    Endpoint,
    EndpointAttempt,
    EndpointDelivery,
    EndpointKind,
)
from dashboard.models.event import Event
from dashboard.models.webhook import Webhook, WebhookBody
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.events import outbox
from dashboard.services.events.kinds import KINDS
from dashboard.services.relay import outgoing, results
from dashboard.services.relay.answers import Next
from dashboard.services.relay.outgoing import Outgoing
from dashboard.services.relay.sending import Result
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps
from dashboard.settings import Settings
from dashboard.vault import Vault

OVERLAP = timedelta(hours=24)
"""How long the former secret signs as well after a rotation."""

LISTED = 50
_COUNTED = 1000
_MOST_AT_ONCE = 1000
_MOST = 50


@dataclass(frozen=True, kw_only=True)
class Created:
    """A new endpoint, or one with a new secret: the only time that it is known."""

    id: UUID
    secret: SecretStr


@dataclass(frozen=True, kw_only=True)
class Standing:
    """An endpoint as pages show it.

    Attributes:
        app: Whose webhooks are copied; None for events.
        waiting: Deliveries, counted up to a bound.
        failed: The same of those that were given up.
        circuit: Why delivery is paused until a test succeeds; None while it is not.
    """

    row: Endpoint
    app: ZoomApp | None
    waiting: int
    failed: int
    circuit: OpenCircuit | None

    @property
    def word(self) -> str:
        """Its state."""
        if self.row.paused_at is not None:
            return "Paused" if self.row.paused_by else "Paused automatically"
        if self.circuit is not None or self.row.failing_since is not None:
            return "Failing"
        return "Not used yet" if self.row.delivered_at is None else "Delivering"

    @property
    def tone(self) -> str:
        """The tone of its state."""
        tones = {"Paused": "off", "Not used yet": "off", "Delivering": "good"}
        return tones.get(self.word, "trouble")


@dataclass(frozen=True, kw_only=True)
class Line:
    """A delivery in the log.

    Attributes:
        what: The event's type, Zoom's name of the webhook's, or that it is a test.
    """

    row: EndpointDelivery
    what: str

    @property
    def reason(self) -> str:
        """What the last attempt came to, as a sentence."""
        return self.row.outcome_reason

    @property
    def word(self) -> str:
        """Its state."""
        if self.row.outcome is DeliveryOutcome.WAITING:
            return "Retrying" if self.row.attempts else "Queued"
        is_good = self.row.outcome is DeliveryOutcome.DELIVERED
        return "Delivered" if is_good else "Failed"

    @property
    def tone(self) -> str:
        """The tone of its state."""
        tones = {"Delivered": "good", "Failed": "trouble"}
        return tones.get(self.word, "waiting")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One delivery with its attempts and its message, without a webhook's content."""

    line: Line
    attempts: Sequence[EndpointAttempt]
    message: str
    webhook_id: int | None


def add(
    runtime: Runtime,
    url: SecretStr,
    *,
    events: Sequence[str],
    zoom_apps: Sequence[UUID] = (),
    actor: Actor,
) -> Created:
    """Add an endpoint for events; commits.

    Args:
        runtime: All of them.
        url: May hold a secret.
        events: Which, by name.
        zoom_apps: Whose; all if empty.
        actor: For the audit log.

    Raises:
        InvalidInputError: The URL or an event can't be used; nothing was saved.
        NotFoundError: There is no such zoom app.
    """
    names = _events(events)
    secret, now = outgoing.new_secret(), runtime.clock.now()
    row = _new(
        runtime.settings,
        runtime.vault,
        url,
        kind=EndpointKind.EVENTS,
        actor=actor,
        now=now,
    )
    row.events = " ".join(names)
    row.secret = _seal(runtime.vault, row, "secret", secret)
    with runtime.database.writing() as session:
        _require_room(session)
        found = [apps.get(session, each).id for each in zoom_apps]
        row.zoom_apps = " ".join(sorted(str(each) for each in set(found)))
        session.add(row)
        session.flush()
        audit.record(session, actor, "endpoint.added", subject=name(row), now=now)
    return Created(id=row.id, secret=secret)


def add_destination(
    runtime: Runtime, zoom_app_id: UUID, url: SecretStr, *, actor: Actor
) -> Endpoint:
    """Add a destination for copies of a zoom app's webhooks; commits.

    Raises:
        InvalidInputError: The URL can't be used; nothing was saved.
        NotFoundError: There is no such zoom app.
    """
    now = runtime.clock.now()
    row = _new(
        runtime.settings,
        runtime.vault,
        url,
        kind=EndpointKind.COPIES,
        actor=actor,
        now=now,
    )
    with runtime.database.writing() as session:
        app = apps.lock(session, zoom_app_id)
        _require_room(session)
        row.zoom_app_id = app.id
        session.add(row)
        session.flush()
        subject = f"{name(row)} of {apps.full_name(app)}"
        audit.record(session, actor, "destination.added", subject=subject, now=now)
    return row


def remove(
    database: Database, clock: Clock, endpoint_id: UUID, *, actor: Actor
) -> None:
    """Remove an endpoint with its queue and its log; commits.

    Raises:
        NotFoundError: There is none.
    """
    with database.writing() as session:
        row = _locked(session, endpoint_id)
        session.delete(row)
        circuit = session.get(OpenCircuit, endpoint_id)
        if circuit is not None:
            session.delete(circuit)
        session.flush()
        audit.record(
            session,
            actor,
            "endpoint.removed",
            subject=name(row),
            now=clock.now(),
        )


def rotate(runtime: Runtime, endpoint_id: UUID, *, actor: Actor) -> Created:
    """Make a new secret; the former one signs as well for a day. Commits.

    Raises:
        NotFoundError: There is none.
        ConflictError: It is for copies, which Zoom signs.
    """
    now, secret = runtime.clock.now(), outgoing.new_secret()
    with runtime.database.writing() as session:
        row = _locked(session, endpoint_id)
        if row.secret is None:
            raise ConflictError(
                "A destination has no secret: its webhooks are signed by Zoom."
            )
        former = runtime.vault.open_text(
            row.secret, table="endpoint", column="secret", row=row.id
        )
        row.previous_secret = _seal(runtime.vault, row, "previous_secret", former)
        row.previous_until = now + OVERLAP
        row.secret = _seal(runtime.vault, row, "secret", secret)
        session.add(row)
        audit.record(session, actor, "endpoint.rotated", subject=name(row), now=now)
    return Created(id=endpoint_id, secret=secret)


def pause(database: Database, clock: Clock, endpoint_id: UUID, *, actor: Actor) -> None:
    """Send nothing more until it is resumed; what comes waits. Commits.

    Raises:
        NotFoundError: There is none.
    """
    now = clock.now()
    with database.writing() as session:
        row = _locked(session, endpoint_id)
        if row.paused_at is None:
            row.paused_at, row.paused_by = now, actor.name
            session.add(row)
            session.flush()
            audit.record(session, actor, "endpoint.paused", subject=name(row), now=now)


def resume(
    database: Database, clock: Clock, endpoint_id: UUID, *, actor: Actor
) -> None:
    """Send what waits, oldest first; commits.

    Raises:
        NotFoundError: There is none.
    """
    now = clock.now()
    with database.writing() as session:
        row = _locked(session, endpoint_id)
        if row.paused_at is not None:
            row.paused_at, row.paused_by, row.failing_since = None, "", None
            session.add(row)
            _make_due(session, endpoint_id, now=now)
            session.flush()
            audit.record(session, actor, "endpoint.resumed", subject=name(row), now=now)


def send_test(
    database: Database, clock: Clock, endpoint_id: UUID, *, actor: Actor
) -> int:
    """Queue a test message; commits. Return the delivery's id.

    Raises:
        NotFoundError: There is none.
        ConflictError: It is paused.
    """
    now = clock.now()
    with database.writing() as session:
        row = _locked_for_test(session, endpoint_id)
        (made,) = outgoing.enqueue(session, [(row.id, None)], now=now)
        _probe_now(session, row.id, now=now)
        audit.record(session, actor, "endpoint.tested", subject=name(row), now=now)
    return made


def _locked_for_test(session: Session, endpoint_id: UUID) -> Endpoint:
    row = _locked(session, endpoint_id)
    if row.paused_at is not None:
        raise ConflictError("It is paused. Resume it, then send a test.")
    return row


def test_now(runtime: Runtime, endpoint_id: UUID, *, actor: Actor) -> str:
    """Send a test message at once and log the answer; commits. Say what came of it.

    Raises:
        NotFoundError: There is none.
        ConflictError: It is paused.
        SendError: The endpoint did not accept it.
    """
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        row = _locked_for_test(session, endpoint_id)
        begun = outgoing.begin_test(session, row.id, now=now, worker=actor.name)
        audit.record(session, actor, "endpoint.tested", subject=name(row), now=now)
    result = asyncio.run(_send(runtime, begun))
    days = runtime.settings.webhook_retention_days
    with runtime.database.writing() as session:
        results.store(
            session,
            [result],
            now=runtime.clock.now(),
            retention=timedelta(days=days),
        )
    said = result.classification
    if said.next is not Next.DELIVERED:
        raise SendError(f"{said.sentence}. It is tried again as other deliveries are.")
    return f"{said.sentence}."


async def _send(runtime: Runtime, begun: Outgoing) -> Result[Outgoing]:
    is_private_allowed = runtime.settings.allow_private_endpoints
    async with wire.Endpoints(is_private_allowed=is_private_allowed) as endpoints:
        return await outgoing.send(runtime, endpoints, begun)


def resend(database: Database, clock: Clock, delivery_id: int, *, actor: Actor) -> UUID:
    """Send one again, with the same id and bytes; commits. Return its endpoint.

    Raises:
        NotFoundError: There is none.
        ConflictError: It waits already, or its bytes were deleted.
    """
    now = clock.now()
    with database.writing() as session:
        row = session.get(EndpointDelivery, delivery_id)
        if row is None:
            raise NotFoundError("delivery")
        if row.outcome is DeliveryOutcome.WAITING:
            raise ConflictError("It is queued already. Nothing was changed.")
        if row.webhook_id is not None and not session.get(WebhookBody, row.webhook_id):
            raise ConflictError("Its content was deleted, so it can't be sent again.")
        _again(session, [row.id], now=now)
        endpoint = session.get_one(Endpoint, row.endpoint_id)
        subject = f"1 delivery to {name(endpoint)}"
        audit.record(session, actor, "endpoint.resent", subject=subject, now=now)
    return row.endpoint_id


def resend_failed(
    database: Database, clock: Clock, endpoint_id: UUID, *, actor: Actor
) -> int:
    """Send again what was given up, oldest first, with the same ids; commits.

    Returns:
        How many; at most 1,000 at once.

    Raises:
        NotFoundError: There is none.
    """
    now = clock.now()
    with database.writing() as session:
        endpoint = _locked(session, endpoint_id)
        query = select(EndpointDelivery.id).where(
            col(EndpointDelivery.endpoint_id) == endpoint_id,
            col(EndpointDelivery.outcome) == DeliveryOutcome.DEAD,
            (
                col(EndpointDelivery.webhook_id).is_(None)
                | col(EndpointDelivery.webhook_id).in_(select(WebhookBody.webhook_id))
            ),
        )
        ordered = query.order_by(col(EndpointDelivery.id)).limit(_MOST_AT_ONCE)
        ids = session.exec(ordered).all()
        number = _again(session, ids, now=now)
        if number:
            subject = f"{number:,} deliveries to {name(endpoint)}"
            audit.record(session, actor, "endpoint.resent", subject=subject, now=now)
    return number


def get(session: Session, endpoint_id: UUID) -> Endpoint:
    """Return the endpoint.

    Raises:
        NotFoundError: There is none.
    """
    row = session.get(Endpoint, endpoint_id)
    if row is None:
        raise NotFoundError("endpoint")
    return row


def listed(session: Session) -> Sequence[Standing]:
    """Return all, those for events first, then the newest."""
    query = select(Endpoint).order_by(
        col(Endpoint.kind).desc(), col(Endpoint.created_at).desc(), col(Endpoint.id)
    )
    return [standing(session, row) for row in session.exec(query)]


def standing(session: Session, row: Endpoint) -> Standing:
    """Return how one stands."""
    circuit = session.get(OpenCircuit, row.id)
    return Standing(
        row=row,
        app=None if row.zoom_app_id is None else session.get(ZoomApp, row.zoom_app_id),
        waiting=_count(session, row.id, DeliveryOutcome.WAITING),
        failed=_count(session, row.id, DeliveryOutcome.DEAD),
        circuit=circuit if circuit is not None and circuit.is_holding else None,
    )


def shown_url(vault: Vault, row: Endpoint) -> str:
    """Return its URL without what may be secret in it: the query."""
    url = vault.open_text(row.url, table="endpoint", column="url", row=row.id)
    parts = urlsplit(url.get_secret_value())
    return f"{parts.scheme}://{parts.netloc}{parts.path}" + ("?…" * bool(parts.query))


def log(
    session: Session, endpoint_id: UUID, *, before: int | None = None
) -> tuple[Sequence[Line], int | None]:
    """Return deliveries, newest first, and the cursor of the next page."""
    query = (
        select(EndpointDelivery, Event.kind, Webhook.event)
        .outerjoin(Event, col(Event.id) == col(EndpointDelivery.event_id))
        .outerjoin(Webhook, col(Webhook.id) == col(EndpointDelivery.webhook_id))
        .where(col(EndpointDelivery.endpoint_id) == endpoint_id)
    )
    if before is not None:
        query = query.where(col(EndpointDelivery.id) < before)
    rows = session.exec(
        query.order_by(col(EndpointDelivery.id).desc()).limit(LISTED + 1)
    ).all()
    lines = [
        Line(row=row, what=_what(row, kind, event))
        for row, kind, event in rows[:LISTED]
    ]
    return lines, lines[-1].row.id if len(rows) > LISTED else None


def show(session: Session, delivery_id: int) -> Shown:
    """Return one delivery with its attempts.

    Raises:
        NotFoundError: There is none.
    """
    row = session.get(EndpointDelivery, delivery_id)
    if row is None:
        raise NotFoundError("delivery")
    event = None if row.event_id is None else session.get(Event, row.event_id)
    webhook = None if row.webhook_id is None else session.get(Webhook, row.webhook_id)
    query = select(EndpointAttempt).where(
        col(EndpointAttempt.delivery_id) == delivery_id
    )
    attempts = session.exec(query.order_by(col(EndpointAttempt.id).desc()).limit(100))
    what = _what(row, event.kind if event else None, webhook.event if webhook else None)
    return Shown(
        line=Line(row=row, what=what),
        attempts=attempts.all(),
        message="" if event is None else outbox.message(event).decode(),
        webhook_id=row.webhook_id,
    )


def paused_automatically(session: Session) -> Sequence[Endpoint]:
    """Return those that the dashboard paused."""
    query = select(Endpoint).where(
        col(Endpoint.paused_at).is_not(None), col(Endpoint.paused_by) == ""
    )
    return session.exec(query.order_by(col(Endpoint.paused_at))).all()


def name(row: Endpoint) -> str:
    """Name one for the audit log, without what may be secret in its URL."""
    return f"{row.host} ({row.id})"


def _what(row: EndpointDelivery, kind: str | None, event: str | None) -> str:
    if row.event_id is None and row.webhook_id is None:
        return "Test"
    return kind or event or "Without a name"


def _events(typed: Sequence[str]) -> Sequence[str]:
    unknown = sorted(set(typed) - KINDS.keys())
    if unknown:
        raise InvalidInputError(
            f"There is no event {unknown[0]!r}. These exist: {', '.join(KINDS)}.",
            field="events",
        )
    if not typed:
        raise InvalidInputError("Choose at least one event.", field="events")
    return [each for each in KINDS if each in typed]


def _new(  # noqa: PLR0913 - the facts of one endpoint, all named
    settings: Settings,
    vault: Vault,
    url: SecretStr,
    *,
    kind: EndpointKind,
    actor: Actor,
    now: datetime,
) -> Endpoint:
    typed = url.get_secret_value().strip()
    allowed = settings.allow_private_endpoints
    problem = url_problem(typed, is_private_allowed=allowed)
    if problem:
        raise InvalidInputError(f"{problem} Nothing was saved.", field="url")
    row = Endpoint(
        id=uuid4(),
        kind=kind,
        url=b"",
        host=(urlsplit(typed).hostname or "")[:255],
        created_at=now,
        created_by=actor.name,
    )
    row.url = _seal(vault, row, "url", SecretStr(typed))
    return row


def _seal(vault: Vault, row: Endpoint, column: str, value: SecretStr) -> bytes:
    return vault.seal_text(value, table="endpoint", column=column, row=row.id)


def _require_room(session: Session) -> None:
    if session.exec(select(func.count()).select_from(Endpoint)).one() >= _MOST:
        raise ConflictError(
            f"There are {_MOST} endpoints already, which is as many as there may be. "
            "Remove one first. Nothing was saved."
        )


def _locked(session: Session, endpoint_id: UUID) -> Endpoint:
    query = select(Endpoint).where(col(Endpoint.id) == endpoint_id).with_for_update()
    row = session.exec(query).first()
    if row is None:
        raise NotFoundError("endpoint")
    return row


def _count(session: Session, endpoint_id: UUID, outcome: DeliveryOutcome) -> int:
    some = (
        select(EndpointDelivery.id)
        .where(
            col(EndpointDelivery.endpoint_id) == endpoint_id,
            col(EndpointDelivery.outcome) == outcome,
        )
        .limit(_COUNTED)
        .subquery()
    )
    return session.exec(select(func.count()).select_from(some)).one()


def _again(session: Session, ids: Sequence[int], *, now: datetime) -> int:
    done = session.exec(
        update(EndpointDelivery)
        .where(
            col(EndpointDelivery.id).in_(ids),
            col(EndpointDelivery.outcome) != DeliveryOutcome.WAITING,
        )
        .values(
            outcome=DeliveryOutcome.WAITING,
            outcome_reason="",
            attempts=0,
            due_at=now,
            lease_until=None,
            ended_at=None,
        )
    )
    return rows_changed(done)


def _make_due(session: Session, endpoint_id: UUID, *, now: datetime) -> None:
    session.exec(
        update(EndpointDelivery)
        .where(
            col(EndpointDelivery.endpoint_id) == endpoint_id,
            col(EndpointDelivery.outcome) == DeliveryOutcome.WAITING,
            col(EndpointDelivery.lease_until).is_(None),
        )
        .values(due_at=now)
    )
    _probe_now(session, endpoint_id, now=now)


def _probe_now(session: Session, endpoint_id: UUID, *, now: datetime) -> None:
    session.exec(
        update(OpenCircuit)
        .where(col(OpenCircuit.id) == endpoint_id)
        .values(probe_at=now, probes=0)
    )
