"""Webhooks on their way to disk: their rows, written in batches, and who waits."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from operator import attrgetter
from typing import Any, cast

import orjson
from sqlalchemy import Connection, Table, bindparam, insert, literal, select, update
from sqlmodel import Session, SQLModel

from dashboard.db import Database
from dashboard.db.bulk import Bulk, Cursor, Row, cursor_of
from dashboard.db.columns import BigId, UtcDateTime
from dashboard.models.check import Finding, Source
from dashboard.models.endpoint import DeliveryOutcome, Endpoint, EndpointDelivery
from dashboard.models.ids import new_id, new_ids
from dashboard.models.webhook import Arrival, Mark, Outcome, Webhook, WebhookBody
from dashboard.models.zoom_app import Routing
from dashboard.services.receiver.events import (
    READ_HERE,
    URL_VALIDATION,
    Event,
    dedupe_key,
)
from dashboard.services.receiver.keyring import AppCredentials
from dashboard.services.receiver.signatures import ahead_words
from dashboard.services.validation import evidence
from dashboard.services.validation.states import ANSWERED_WITHIN_S
from dashboard.vault import Vault

Waiter = Callable[[], object] | asyncio.Future[None]
"""What to call, or a future; the futures of one loop are set in one go."""


def settle(waiters: Iterable[Waiter]) -> None:
    """Wake each request of a batch; from any thread."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for waiter in waiters:
        if isinstance(waiter, asyncio.Future):
            by_loop.setdefault(waiter.get_loop(), []).append(waiter)
        else:
            waiter()
    for loop, futures in by_loop.items():
        with suppress(RuntimeError):  # the loop has ended, and its requests with it
            loop.call_soon_threadsafe(_wake, futures)


def _wake(futures: Sequence[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():  # its request may have given up
            future.set_result(None)


_EVENT_NOTED_EVERY = timedelta(minutes=1)
_FRESH_CHALLENGE_S = 300
NO_RECALL_APP = "Waiting: this zoom app is not in Recall yet."
_DIRECT = "Not forwarded: Zoom posts to Recall itself (routing is direct)."
_WHICH_TOKEN = {"current": "", "previous": " (previous secret token)"}


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedWebhook:
    """A request whose signature is valid.

    Attributes:
        app: The zoom app it was posted to.
        body: Raw request bytes.
        headers: (name, value) as received, names lower case, none secret.
        event: What the body says.
        sent_at_s: `x-zm-request-timestamp`, whole seconds since the epoch.
        timing: LATE or CLOCK; None when its age is usual.
        verdict: Which secret matched: "current" or "previous".
        received_at: Aware.
        began: `time.perf_counter()` when the first byte was read.
    """

    app: AppCredentials
    body: bytes
    headers: tuple[tuple[str, str], ...]
    event: Event
    sent_at_s: int
    timing: Mark | None = None
    verdict: str
    received_at: datetime
    began: float


@dataclass(kw_only=True, slots=True)
class QueuedWebhook:
    """A webhook on its way to disk, and its request waiting for that.

    Attributes:
        id: Of its row, should it be new.
        webhook: Its row; `body`: that of its sealed bytes.
        waiter: Woken once, when `stored_id` and `is_repeat` or `error` are set.
    """

    id: int
    received: VerifiedWebhook
    dedupe: bytes
    webhook: Row
    body: Row
    waiter: Waiter
    stored_id: int = 0
    is_repeat: bool = False
    error: Exception | None = None

    @property
    def is_challenge(self) -> bool:
        """Whether it is Zoom's validation request."""
        return self.received.event.event == URL_VALIDATION

    @property
    def age_s(self) -> float:
        """How old its timestamp was on arrival, in seconds; below 0 when ahead."""
        received = self.received
        return received.received_at.timestamp() - received.sent_at_s


def _table(model: type[SQLModel]) -> Table:
    return cast("Table", model.__table__)  # type: ignore[attr-defined]  # SQLModel does not type it


_WEBHOOK, _BODY = _table(Webhook), _table(WebhookBody)
# What is not known when it arrives stays empty.
_LATER = {"lease_until", "delivered_at", "erased_at", "refused_at"}
_WEBHOOK_COLUMNS = [each.name for each in _WEBHOOK.c if each.name not in _LATER]
_BODY_COLUMNS = [each.name for each in _BODY.c]
_ANSWERED_MS = _WEBHOOK_COLUMNS.index("answered_ms")
_REPEATED = (
    update(_WEBHOOK)
    .where(_WEBHOOK.c.id == bindparam("webhook_id"))
    .values(arrivals=_WEBHOOK.c.arrivals + bindparam("more"))
)
_ADD_ARRIVAL = insert(_table(Arrival))
_ENDPOINT = _table(Endpoint)
# Of a destination that was just removed, nothing is inserted.
_ADD_COPY = insert(_table(EndpointDelivery)).from_select(
    [
        *("id", "endpoint_id", "webhook_id", "made_at", "due_at"),
        *("outcome", "outcome_reason", "attempts", "claim"),
    ],
    select(
        bindparam("copy_id", type_=BigId),
        _ENDPOINT.c.id,
        bindparam("copied_id", type_=BigId),
        bindparam("now", type_=UtcDateTime),
        bindparam("now", type_=UtcDateTime),
        literal(DeliveryOutcome.WAITING.value),
        literal(""),
        literal(0),
        literal(0),
    ).where(_ENDPOINT.c.id == bindparam("its_endpoint")),
    include_defaults=False,
)


class WebhookBatches:
    """Makes rows of webhooks and writes them in batches to one database."""

    def __init__(self, database: Database, vault: Vault) -> None:
        dialect = database.writer.dialect
        self._vault = vault
        self._webhooks = Bulk(_WEBHOOK, _WEBHOOK_COLUMNS, dialect, known_by="dedupe")
        self._bodies = Bulk(_BODY, _BODY_COLUMNS, dialect)

    def prepare(self, received: VerifiedWebhook, waiter: Waiter) -> QueuedWebhook:
        """Hash and seal a webhook, in the thread of its own request."""
        app, event, at = received.app, received.event, received.received_at
        webhook_id = new_id(at)
        is_relayed = app.routing is Routing.RELAY
        reason = "" if app.has_recall_app else NO_RECALL_APP
        dedupe = dedupe_key(app.id, received.body, event)
        webhook = self._webhooks.row(
            {
                "id": webhook_id,
                "zoom_app_id": app.id,
                "dedupe": dedupe,
                "event": event.event,
                "event_ts": event.event_ts,
                "sent_at_s": received.sent_at_s,
                "verdict": received.verdict,
                "timing": received.timing,
                "is_unreadable": not event.is_readable,
                "zoom_user_id": event.zoom_user_id,
                "zoom_account_id": event.zoom_account_id,
                "meeting_id": event.meeting_id,
                "body_bytes": len(received.body),
                "body_sha256": sha256(received.body).hexdigest(),
                "received_at": at,
                "arrivals": 1,
                "answered_ms": 0.0,
                "outcome": Outcome.WAITING if is_relayed else Outcome.KEPT,
                "outcome_reason": reason if is_relayed else _DIRECT,
                "is_unread": event.event in READ_HERE,
                "attempts": 0,
                "due_at": at,
                "claim": 0,
            }
        )
        seal, table = self._vault.seal, _BODY.name
        headers = orjson.dumps(received.headers)
        body = self._bodies.row(
            {
                "webhook_id": webhook_id,
                "headers": seal(headers, table=table, column="headers", row=webhook_id),
                "body": seal(received.body, table=table, column="body", row=webhook_id),
            }
        )
        return QueuedWebhook(
            id=webhook_id,
            received=received,
            dedupe=dedupe,
            webhook=webhook,
            body=body,
            waiter=waiter,
        )

    def record(
        self,
        connection: Connection,
        batch: Sequence[QueuedWebhook],
        *,
        noted: MutableMapping[Any, datetime],
    ) -> None:
        """Write new webhooks whole and repeats as arrivals; the caller commits.

        May be called again with the same batch after a rollback.

        Args:
            connection: Writing.
            batch: In order of arrival; the same event may be in it twice.
            noted: When an event of each zoom app was last stored as evidence; one a
                minute is enough.
        """
        now = time.perf_counter()
        for pending in batch:
            pending.webhook[_ANSWERED_MS] = _ms(now - pending.received.began)
        with cursor_of(connection) as cursor:
            new, repeats = self._add(cursor, batch)
            self._bodies.write(cursor, [pending.body for pending in new])
        copied = [each for each in new if each.received.app.copies_to]
        if copied:
            _add_copies(connection, copied)
        if repeats:
            _add_arrivals(connection, repeats)
        worth_noting = [each for each in batch if _is_worth_noting(each, noted)]
        if worth_noting:
            with Session(connection) as session:
                for pending in worth_noting:
                    _note(session, pending, now)
                session.flush()

    def _add(
        self, cursor: Cursor, batch: Sequence[QueuedWebhook]
    ) -> tuple[Sequence[QueuedWebhook], Sequence[QueuedWebhook]]:
        """Write the rows that are not known yet; return new ones and repeats."""
        # In order of key, so that two processes with the same events cannot wait for
        # each other. Of two alike in one batch the first stays first.
        rows = [each.webhook for each in sorted(batch, key=attrgetter("dedupe"))]
        written = self._webhooks.write(cursor, rows)
        if written == len(batch):
            for pending in batch:
                pending.stored_id, pending.is_repeat = pending.id, False
            return batch, ()
        keys = [pending.dedupe for pending in batch]
        known = self._webhooks.ids_by(cursor, "dedupe", keys)
        for pending in batch:
            pending.stored_id = known[pending.dedupe]
            pending.is_repeat = pending.stored_id != pending.id
        return (
            [pending for pending in batch if not pending.is_repeat],
            [pending for pending in batch if pending.is_repeat],
        )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _add_copies(connection: Connection, new: Sequence[QueuedWebhook]) -> None:
    """Queue a copy for each destination that there still is."""
    wanted = [
        (pending, endpoint_id)
        for pending in new
        for endpoint_id in pending.received.app.copies_to
    ]
    first = new_ids(wanted[0][0].received.received_at, len(wanted))
    connection.execute(
        _ADD_COPY,
        [
            {
                "copy_id": first + place,
                "copied_id": pending.id,
                "its_endpoint": endpoint_id,
                "now": pending.received.received_at,
            }
            for place, (pending, endpoint_id) in enumerate(wanted)
        ],
    )


def _add_arrivals(connection: Connection, repeats: Sequence[QueuedWebhook]) -> None:
    rows = [
        {
            "id": pending.id,
            "webhook_id": pending.stored_id,
            "sent_at_s": pending.received.sent_at_s,
            "received_at": pending.received.received_at,
        }
        for pending in repeats
    ]
    connection.execute(_ADD_ARRIVAL, rows)
    more = Counter(pending.stored_id for pending in repeats)
    # In order of id, so that two processes cannot wait for each other.
    values = [{"webhook_id": key, "more": count} for key, count in sorted(more.items())]
    connection.execute(_REPEATED, values)


def _is_worth_noting(
    pending: QueuedWebhook, noted: MutableMapping[Any, datetime]
) -> bool:
    """Whether to store it as evidence: each validation request, one event a minute.

    An old validation request that was stored before proves nothing new: it may be a
    copy that somebody sent again.
    """
    if pending.is_challenge:
        return not pending.is_repeat or pending.age_s <= _FRESH_CHALLENGE_S
    app_id, at = pending.received.app.id, pending.received.received_at
    last = noted.get(app_id)
    if last is not None and timedelta(0) <= at - last < _EVENT_NOTED_EVERY:
        return False
    noted[app_id] = at
    return True


def _note(session: Session, pending: QueuedWebhook, now: float) -> None:
    received = pending.received
    took_ms = _ms(now - received.began)
    which = _WHICH_TOKEN.get(received.verdict, "")
    event = received.event.event or "An event without a name"
    source, finding = Source.ZOOM_EVENT, Finding.GOOD
    detail = f"{event} received; signature valid{which}."
    if received.timing is Mark.CLOCK:
        detail += f" {ahead_words(-pending.age_s)}"
    if pending.is_challenge:
        source = Source.ZOOM_CHALLENGE
        detail = f"Zoom's validation request was answered; signature valid{which}."
        if took_ms > ANSWERED_WITHIN_S * 1000:
            finding = Finding.FAILED
            detail = (
                f"The signature of Zoom's validation request was valid{which}, but we "
                f"took {took_ms / 1000:.1f} s to answer. Zoom gives up after "
                f"{ANSWERED_WITHIN_S:.0f} s."
            )
    evidence.record(
        session,
        zoom_app_id=received.app.id,
        source=source,
        finding=finding,
        detail=detail,
        took_ms=took_ms,
        webhook_id=pending.stored_id,
        at=received.received_at,
    )
