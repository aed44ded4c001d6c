"""Delivers events, and copies of webhooks, to the customer's endpoints.

The same engine as for Recall: rows are the queue, with leases, retries and a circuit
breaker for each endpoint. It has its own turn in the worker, and each endpoint its own
bound, so that a slow or dead one delays neither Recall nor another.
"""

import secrets
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson
from pydantic import SecretStr
from sqlalchemy import Table, and_, bindparam, select, update
from sqlmodel import Session, SQLModel
from standardwebhooks import Webhook as Signing

from dashboard.clients import delivery as wire
from dashboard.clients.delivery import Answer, Failure
from dashboard.db.columns import UtcDateTime
from dashboard.errors import StorageError, VaultError
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.endpoint import (
    Endpoint,
    EndpointDelivery,
    EndpointKind,
)
from dashboard.models.event import Event
from dashboard.models.ids import new_ids
from dashboard.models.webhook import WebhookBody
from dashboard.services.events import kinds, outbox
from dashboard.services.receiver.keyring import Keyring
from dashboard.services.receiver.signatures import validation_request
from dashboard.services.relay import circuit
from dashboard.services.relay.answers import classify_endpoint, shown
from dashboard.services.relay.claims import LEASE
from dashboard.services.relay.queues import DELIVERY, is_waiting
from dashboard.services.relay.sending import Result
from dashboard.services.runtime import Runtime
from dashboard.vault import Vault

AN_ENDPOINT = 16
"""In flight at once for an endpoint."""

TEST = "endpoint.test"
"""The type of a test message; it is no event, and in no feed."""


def _table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


_ENDPOINT, _CIRCUIT = _table(Endpoint), _table(OpenCircuit)
_EVENT, _BODY = _table(Event), _table(WebhookBody)
_FIRST_DUE = (
    select(DELIVERY.c.due_at)
    .where(DELIVERY.c.endpoint_id == _ENDPOINT.c.id, is_waiting(DELIVERY))
    .order_by(DELIVERY.c.due_at)
    .limit(1)
    .scalar_subquery()
    .label("due_at")
)
_TARGETS = (
    select(
        _ENDPOINT.c.id,
        _ENDPOINT.c.kind,
        _ENDPOINT.c.zoom_app_id,
        _ENDPOINT.c.url,
        _ENDPOINT.c.secret,
        _ENDPOINT.c.previous_secret,
        _ENDPOINT.c.previous_until,
        _FIRST_DUE,
        _CIRCUIT.c.probe_at,
    )
    .outerjoin(_CIRCUIT, and_(_CIRCUIT.c.id == _ENDPOINT.c.id, _CIRCUIT.c.is_holding))
    .where(_ENDPOINT.c.paused_at.is_(None))
)
_DUE = (
    select(
        DELIVERY.c.id,
        DELIVERY.c.claim,
        DELIVERY.c.attempts,
        DELIVERY.c.made_at,
        DELIVERY.c.webhook_id,
        _EVENT,
        _BODY.c.headers,
        _BODY.c.body,
    )
    .outerjoin(_EVENT, _EVENT.c.id == DELIVERY.c.event_id)
    .outerjoin(_BODY, _BODY.c.webhook_id == DELIVERY.c.webhook_id)
    .where(
        DELIVERY.c.endpoint_id == bindparam("endpoint_id"),
        is_waiting(DELIVERY),
        DELIVERY.c.due_at <= bindparam("now", type_=UtcDateTime),
    )
    .order_by(DELIVERY.c.due_at, DELIVERY.c.id)
    .limit(bindparam("at_most"))
    .with_for_update(of=DELIVERY, skip_locked=True)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where a claimed delivery goes; secrets are sealed, as in `Endpoint`."""

    id: UUID
    kind: EndpointKind
    zoom_app_id: UUID | None
    url: bytes
    secret: bytes | None
    previous_secret: bytes | None
    previous_until: datetime | None
    due_at: datetime | None
    probe_at: datetime | None

    def is_due(self, now: datetime) -> bool:
        """Whether it has something to send, and is not paused."""
        is_open = self.probe_at is None or self.probe_at <= now
        return is_open and self.due_at is not None and self.due_at <= now


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """One claimed delivery, to be sent before its lease ends.

    Attributes:
        message: The bytes of an event; None for a webhook, and for a test.
        headers: Of a webhook; encrypted, as is `body`; None when they were deleted.
    """

    row_id: int
    claim: int
    worker: str
    attempts: int
    received_at: datetime
    target: Target
    webhook_id: int | None = None
    event_id: int | None = None
    message: bytes | None = None
    headers: bytes | None = None
    body: bytes | None = None
    probes: frozenset[UUID] = frozenset()
    refused_at: datetime | None = None

    @property
    def queue(self) -> Table:
        """Return the queue of that row."""
        return DELIVERY

    @property
    def circuits(self) -> Mapping[UUID, CircuitKind]:
        """Return the circuit that its result is counted in."""
        return {self.target.id: CircuitKind.ENDPOINT}


def is_any_due(session: Session, *, now: datetime) -> bool:
    """Whether there may be something to publish or to claim; locks nothing."""
    return outbox.is_any_unpublished(session) or any(
        target.is_due(now) for target in _targets(session)
    )


def publish(session: Session, *, now: datetime) -> int:
    """Give new events their place, and queue them for who wants them; caller commits.

    Returns:
        How many have their place now.
    """
    events = outbox.publish(session, now=now)
    if not events:
        return 0
    wanted = (
        session.connection()
        .execute(
            select(_ENDPOINT.c.id, _ENDPOINT.c.events, _ENDPOINT.c.zoom_apps)
            .where(_ENDPOINT.c.kind == EndpointKind.EVENTS)
            .order_by(_ENDPOINT.c.id)
        )
        .all()
    )
    pairs = [
        (endpoint_id, event)
        for endpoint_id, names, apps in wanted
        for event in events
        if event.kind in names.split()
        and (not apps or str(event.zoom_app_id) in apps.split())
    ]
    enqueue(session, ((endpoint_id, event.id) for endpoint_id, event in pairs), now=now)
    return len(events)


def enqueue(
    session: Session, pairs: Iterable[tuple[UUID, int | None]], *, now: datetime
) -> list[int]:
    """Queue events for endpoints, or tests (None); the caller commits. Return ids."""
    found = list(pairs)
    if not found:
        return []
    first = new_ids(now, len(found))
    rows = [
        EndpointDelivery(
            id=first + place,
            endpoint_id=endpoint_id,
            event_id=event_id,
            made_at=now,
            due_at=now,
        )
        for place, (endpoint_id, event_id) in enumerate(found)
    ]
    session.add_all(rows)
    session.flush()
    return [row.id for row in rows]


def begin_test(
    session: Session, endpoint_id: UUID, *, now: datetime, worker: str
) -> Outgoing:
    """Queue a test that its maker sends at once, so no worker does; who calls commits.

    If its maker dies, a worker sends it once the lease has ended.
    """
    (row_id,) = enqueue(session, [(endpoint_id, None)], now=now)
    until = now + LEASE
    session.connection().execute(
        update(DELIVERY)
        .where(DELIVERY.c.id == row_id)
        .values(claim=1, lease_until=until, due_at=until)
    )
    row = session.get_one(Endpoint, endpoint_id)
    target = Target(
        id=row.id,
        kind=row.kind,
        zoom_app_id=row.zoom_app_id,
        url=row.url,
        secret=row.secret,
        previous_secret=row.previous_secret,
        previous_until=row.previous_until,
        due_at=now,
        probe_at=None,
    )
    return Outgoing(
        row_id=row_id,
        claim=1,
        worker=worker,
        attempts=0,
        received_at=now,
        target=target,
    )


def claim(
    session: Session,
    *,
    limit: int,
    now: datetime,
    worker: str,
    in_flight: Mapping[UUID, int] | None = None,
) -> list[Outgoing]:
    """Claim what is due, oldest first; the caller commits, then sends.

    Args:
        session: Writing. On PostgreSQL many workers may do this at once.
        limit: How many at most.
        now: Aware.
        worker: Who claims them, "host:process".
        in_flight: How many this worker is sending to each endpoint.
    """
    claimed: list[Outgoing] = []
    until = now + LEASE
    for target in _targets(session):
        if not target.is_due(now):
            continue
        room = min(
            AN_ENDPOINT - (in_flight or {}).get(target.id, 0), limit - len(claimed)
        )
        probes: frozenset[UUID] = frozenset()
        if target.probe_at is not None:
            probes = frozenset({target.id})
            room = min(room, 1)
            if room < 1 or not circuit.claim_probes(
                session, probes, until=until, now=now
            ):
                continue
        if room < 1:
            continue
        values = {"endpoint_id": target.id, "now": now, "at_most": room}
        for row in session.connection().execute(_DUE, values).mappings():
            event_id = row[_EVENT.c.id]
            claimed.append(
                Outgoing(
                    row_id=row[DELIVERY.c.id],
                    claim=row[DELIVERY.c.claim] + 1,
                    worker=worker,
                    attempts=row[DELIVERY.c.attempts],
                    received_at=row[DELIVERY.c.made_at],
                    target=target,
                    webhook_id=row[DELIVERY.c.webhook_id],
                    event_id=event_id,
                    message=None if event_id is None else _message(row),
                    headers=row[_BODY.c.headers],
                    body=row[_BODY.c.body],
                    probes=probes,
                )
            )
    ids = [each.row_id for each in claimed]
    if ids:
        session.connection().execute(
            update(DELIVERY)
            .where(DELIVERY.c.id.in_(ids))
            .values(claim=DELIVERY.c.claim + 1, lease_until=until, due_at=until)
        )
    return claimed


def _targets(session: Session) -> list[Target]:
    rows = session.connection().execute(_TARGETS).mappings()
    found = [Target(**row) for row in rows if row["due_at"] is not None]
    return sorted(found, key=attrgetter("due_at"))


def _message(row: Mapping[Any, Any]) -> bytes:
    values = {column.name: row[column] for column in _EVENT.c}
    return outbox.message(Event(**values))


async def send(
    runtime: Runtime, endpoints: wire.Endpoints, each: Outgoing
) -> Result[Outgoing]:
    """Post one delivery and judge the answer. Writes nothing."""
    started_at = runtime.clock.now()
    sent: bytes | None = None
    echoes: list[SecretStr] = []
    try:
        url = _opened(runtime.vault, each.target, "url", each.target.url)
        body, headers, echoes = _content(
            runtime.vault, runtime.writer.keyring, each, now=started_at
        )
    except (VaultError, StorageError):
        answer = Answer(failure=Failure.SEALED)
    else:
        sent = body
        answer = await endpoints.post(
            url.get_secret_value(), body=body, headers=headers
        )
    return Result(
        delivery=each,
        started_at=started_at,
        latency_ms=answer.latency_ms,
        status=answer.status,
        answer=shown(answer.body, echoes),
        classification=classify_endpoint(answer),
        sent_sha256="" if sent is None else sha256(sent).hexdigest(),
        sent_bytes=0 if sent is None else len(sent),
        headers_passed="",
    )


def _content(
    vault: Vault, keyring: Keyring, each: Outgoing, *, now: datetime
) -> tuple[bytes, dict[str, str], list[SecretStr]]:
    """Return what is sent, and the secrets that an answer may echo.

    Raises:
        VaultError: Something was sealed with an unknown key, or is deleted.
        StorageError: The zoom app could not be read.
    """
    if each.webhook_id is not None:
        if each.body is None or each.headers is None:
            raise VaultError("The stored bytes are deleted.")
        place: dict[str, Any] = {"table": "webhook_body", "row": each.webhook_id}
        body = vault.open(each.body, column="body", **place)
        headers = orjson.loads(vault.open(each.headers, column="headers", **place))
        return body, wire.passed_on((name, value) for name, value in headers), []
    if each.target.kind is EndpointKind.COPIES:
        return _zooms_test(keyring, each.target, now=now)
    body = each.message or orjson.dumps(
        {
            "id": f"test_{each.row_id}",
            "type": TEST,
            "version": kinds.VERSION,
            "timestamp": kinds.timestamp(each.received_at),
            "data": {},
        }
    )
    message_id = (
        f"test_{each.row_id}" if each.event_id is None else f"evt_{each.event_id}"
    )
    keys = _signing_secrets(vault, each.target, now=now)
    return body, signed(message_id, body, keys, now=now), keys


def signed(
    message_id: str, body: bytes, keys: Iterable[SecretStr], *, now: datetime
) -> dict[str, str]:
    """Return the headers of a signed message, as Standard Webhooks has them."""
    text = body.decode()
    signatures = (
        Signing(key.get_secret_value()).sign(message_id, now, text) for key in keys
    )
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": f"{int(now.timestamp())}",
        "webhook-signature": " ".join(signatures),
    }


def new_secret() -> SecretStr:
    """Make a signing secret."""
    return SecretStr(f"whsec_{b64encode(secrets.token_bytes(32)).decode()}")


def _zooms_test(
    keyring: Keyring, target: Target, *, now: datetime
) -> tuple[bytes, dict[str, str], list[SecretStr]]:
    """Return Zoom's validation request, signed as Zoom does: what a copy looks like."""
    app = target.zoom_app_id and keyring.find(target.zoom_app_id)
    if not app or not app.secrets:
        raise VaultError("The zoom app has no secret token that can be opened.")
    key = app.secrets[0].secret
    asked = validation_request(key, now=now)
    headers = {
        "content-type": "application/json; charset=utf-8",
        "x-zm-request-timestamp": asked.timestamp,
        "x-zm-signature": asked.signature,
    }
    return asked.body, headers, [key]


def _signing_secrets(vault: Vault, target: Target, *, now: datetime) -> list[SecretStr]:
    """Return those that sign: the current one, and the former one during a rotation."""
    found = []
    if target.secret is not None:
        found.append(_opened(vault, target, "secret", target.secret))
    is_both = target.previous_until is not None and now < target.previous_until
    if target.previous_secret is not None and is_both:
        found.append(_opened(vault, target, "previous_secret", target.previous_secret))
    return found


def _opened(vault: Vault, target: Target, column: str, sealed: bytes) -> SecretStr:
    return vault.open_text(sealed, table="endpoint", column=column, row=target.id)
