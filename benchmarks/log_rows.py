"""A webhook log of any size, like that of a busy month."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from hashlib import sha256
from itertools import islice
from typing import Any, cast
from uuid import UUID, uuid5

import psycopg
from sqlalchemy import Connection as DatabaseConnection
from sqlalchemy import Table, insert
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from sqlmodel import SQLModel

from benchmarks.load import events
from benchmarks.sites import APP_ID, new_workspace, new_zoom_app
from dashboard.models.connection import Connection, TokenState
from dashboard.models.ids import first_id
from dashboard.models.webhook import Attempt, Outcome, Webhook, WebhookBody
from dashboard.services.runtime import Runtime
from dashboard.vault import Vault

SPAN = timedelta(days=30)
_APPS = 20
_USERS = 2000
_ROWS_A_USER = 100
_ROWS_A_MEETING = 4
_CHUNK = 5000
_HEADERS = json.dumps([["content-type", "application/json; charset=utf-8"]]).encode()
# Out of a hundred; the rest are delivered, and meeting.updated.
_RARE_OUTCOMES = {7: Outcome.DEAD, 31: Outcome.WAITING, 59: Outcome.KEPT}
_EVENTS = (
    ["meeting.created"] * 30
    + ["meeting.started"] * 20
    + ["meeting.ended"] * 20
    + ["meeting.deleted"] * 5
    + ["user.updated"]
)


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log of `size` rows that ends at `until`; everything follows from these two."""

    size: int
    until: datetime

    @property
    def users(self) -> int:
        """How many people; each has a full page of webhooks at any size."""
        return min(_USERS, self.size // _ROWS_A_USER)

    def received_at(self, number: int) -> datetime:
        """When webhook `number` came, counted from the oldest."""
        return self.until - SPAN + SPAN * number / self.size

    def webhook_id(self, number: int) -> int:
        """Return its id: the first of its millisecond, but for the number."""
        return first_id(self.received_at(number)) + number % 1000

    def user(self, number: int) -> int:
        """Whom it is about. Not in turns, so that a page holds many people."""
        return number * 7919 // _ROWS_A_MEETING % self.users

    def meeting_id(self, number: int) -> int:
        """Which meeting: a few webhooks each, however long the log is."""
        return 91_000_000_000 + number // _ROWS_A_MEETING

    def event(self, number: int) -> str:
        """What happened."""
        place = number * 37 % 100
        return _EVENTS[place] if place < len(_EVENTS) else "meeting.updated"

    def outcome(self, number: int) -> Outcome:
        """What became of it: one in a hundred is dead, waiting, or only kept."""
        return _RARE_OUTCOMES.get(number * 61 % 100, Outcome.DELIVERED)


@cache
def app_id(number: int) -> UUID:
    """Return the id of a zoom app, from 0."""
    return uuid5(APP_ID, str(number % _APPS))


def user_id(number: int) -> str:
    """Return Zoom's id of a person, from 0."""
    return f"zUsEr{number:04d}AAAAAAAAAAAAA"


def connection_id(number: int) -> UUID:
    """Return the id of a person's connection; every other one has one."""
    return uuid5(APP_ID, f"connection {number}")


def fill(runtime: Runtime, log: Log) -> None:
    """Write the log into an empty database; commits every few thousand rows.

    Columns that are not named here get their models' defaults.
    """
    _add_people(runtime, log)
    body = next(events(1)).body
    rows = iter(range(log.size))
    while numbers := list(islice(rows, _CHUNK)):
        with runtime.database.writing() as session:
            _add(session.connection(), runtime.vault, log, numbers, body)


def _add_people(runtime: Runtime, log: Log) -> None:
    with runtime.database.writing() as session:
        session.add(new_workspace(runtime.vault))
        for number in range(_APPS):
            name = f"Notetaker {number:02d}"
            session.add(new_zoom_app(runtime.vault, app_id(number), name))
        session.flush()
        session.add_all(
            Connection(
                id=connection_id(number),
                zoom_app_id=app_id(number),
                recall_credential_id=uuid5(APP_ID, f"credential {number}"),
                zoom_user_id=user_id(number),
                zoom_account_id="AbCdEfGhIjKlMnOpQrStUv",
                display_name=f"Person {number:04d}",
                email=f"user{number:04d}@example.com",
                token_state=TokenState.HEALTHY,
                connected_at=log.until - SPAN,
                # Never while the benchmark runs.
                due_at=log.until + timedelta(days=3650),
            )
            for number in range(0, log.users, 2)
        )


def _add(
    connection: DatabaseConnection,
    vault: Vault,
    log: Log,
    numbers: list[int],
    body: bytes,
) -> None:
    webhooks = [_webhook(log, number, body) for number in numbers]
    bodies = [body_row(vault, row["id"], body) for row in webhooks]
    attempts = [attempt for row in webhooks for attempt in attempt_rows(row)]
    for model, rows in (
        (Webhook, webhooks),
        (WebhookBody, bodies),
        (Attempt, attempts),
    ):
        write(connection, model, rows)


def write(
    connection: DatabaseConnection, model: type[SQLModel], rows: list[dict[str, Any]]
) -> None:
    """Write rows of one table the quick way; all of them name the same columns."""
    way = _copy if connection.dialect.name == "postgresql" else _insert
    way(connection, _table(model), rows)


def _insert(
    connection: DatabaseConnection, table: Table, rows: list[dict[str, Any]]
) -> None:
    connection.execute(insert(table), rows)


def _copy(
    connection: DatabaseConnection, table: Table, rows: list[dict[str, Any]]
) -> None:
    """Write rows several times as fast as by inserting them."""
    defaults = {
        column.name: column.default.arg
        for column in table.columns
        if isinstance(column.default, ScalarElementColumnDefault)
    }
    names = list(defaults | rows[0])
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # psycopg's, as the URL says
    columns = ",".join(names)
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN".encode()) as copy,
    ):
        for row in rows:
            values = defaults | row
            copy.write_row([_plain(values[name]) for name in names])


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


def _webhook(log: Log, number: int, body: bytes) -> dict[str, Any]:
    at, user = log.received_at(number), log.user(number)
    outcome = log.outcome(number)
    is_delivered = outcome is Outcome.DELIVERED
    return {
        "id": log.webhook_id(number),
        "zoom_app_id": app_id(user),
        "dedupe": sha256(str(number).encode()).digest(),
        "event": log.event(number),
        "event_ts": int(at.timestamp() * 1000) - 800,
        "sent_at_s": int(at.timestamp()),
        "verdict": "current",
        "zoom_user_id": user_id(user),
        "zoom_account_id": "AbCdEfGhIjKlMnOpQrStUv",
        "meeting_id": log.meeting_id(number),
        "body_bytes": len(body),
        "body_sha256": sha256(body).hexdigest(),
        "received_at": at,
        "answered_ms": 4.2,
        "outcome": outcome,
        "outcome_reason": "" if is_delivered else "As in a benchmark.",
        "attempts": {Outcome.DELIVERED: 1, Outcome.DEAD: 3}.get(outcome, 0),
        "due_at": at,
        "claim": 1,
        "delivered_at": at + timedelta(milliseconds=120) if is_delivered else None,
    }


def body_row(vault: Vault, webhook_id: int, body: bytes) -> dict[str, Any]:
    """Return the row of a webhook's bytes, sealed."""
    sealed = {
        column: vault.seal(value, table="webhook_body", column=column, row=webhook_id)
        for column, value in (("headers", _HEADERS), ("body", body))
    }
    return {"webhook_id": webhook_id, **sealed}


def attempt_rows(webhook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the attempts at forwarding a webhook."""
    is_delivered = webhook["outcome"] is Outcome.DELIVERED
    for number in range(webhook["attempts"]):
        yield {
            "id": webhook["id"] + 2000 + number,
            "webhook_id": webhook["id"],
            "started_at": webhook["received_at"].astimezone(UTC),
            "latency_ms": 110.0,
            "status": 200 if is_delivered else 500,
            "verdict": "Recall took it." if is_delivered else "Recall answered 500.",
            "sent_sha256": webhook["body_sha256"],
        }


def _table(model: type[SQLModel]) -> Table:
    return cast("Table", model.__table__)  # type: ignore[attr-defined]  # SQLModel does not type it
