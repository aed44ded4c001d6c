"""Tables of the former version keep their webhooks, bodies and attempts."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import MetaData, Table, insert, literal, make_url, text
from sqlmodel import select

from dashboard import schema
from dashboard.db import Database
from dashboard.models.webhook import Attempt, Webhook, WebhookBody
from dashboard.models.zoom_app import ZoomApp
from dashboard.vault import Vault
from tests.makers import NOON, a_zoom_app

_WEBHOOK = """INSERT INTO webhook (id, zoom_app_id, dedupe, event, sent_at_s, verdict,
 body_bytes, body_sha256, received_at, arrivals, answered_ms, outcome, outcome_reason,
 attempts, due_at, claim) VALUES (:id, :app, :dedupe, 'meeting.created', 1, 'current',
 2, 'abc', :now, 1, 1.5, :outcome, '', 1, :now, 1)"""
_BODY = "INSERT INTO webhook_body (webhook_id, headers, body) VALUES (:id, :h, :b)"
_ATTEMPT = """INSERT INTO attempt (id, webhook_id, number, started_at, latency_ms,
 status, answer, verdict, sent_sha256) VALUES (:attempt, :id, 1, :now, 12.5, 503,
 'busy', 'Later.', 'abc')"""


@pytest.fixture(params=["sqlite", "postgresql"])
def former(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give an empty database with the tables of revision 0001."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'former.db'}")
    else:
        database = Database(
            _new_postgresql(request.getfixturevalue("postgresql_server"))
        )
    schema.upgrade(database, "0001")
    yield database
    database.close()


def _new_postgresql(server: str) -> str:
    name = f"former_{uuid4().hex[:8]}"
    maker = Database(server)
    with maker.writer.connect().execution_options(
        isolation_level="AUTOCOMMIT"
    ) as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    maker.close()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _fill(database: Database, vault: Vault) -> None:
    """Add a webhook that waits and one that was delivered, as the former version."""
    with database.writing() as session:
        app = a_zoom_app(vault)
        table = Table("zoom_app", MetaData(), autoload_with=session.connection())
        types = {each.name: each.type for each in ZoomApp.metadata.tables[table.name].c}
        app_values: dict[str, object] = {
            each.name: literal(getattr(app, each.name), types[each.name])
            for each in table.columns
        }
        session.connection().execute(insert(table).values(app_values))
        zoom_app_id = app.id.hex if database.is_sqlite else app.id
        for number, outcome in ((1, "waiting"), (2, "delivered")):
            values: dict[str, object] = {
                "id": number,
                "attempt": number + 10,
                "app": zoom_app_id,
                "dedupe": bytes([number]),
                "outcome": outcome,
                "now": NOON.isoformat(" ") if database.is_sqlite else NOON,
                "h": b"sealed headers",
                "b": b"sealed body",
            }
            for statement in (_WEBHOOK, _BODY, _ATTEMPT):
                session.connection().execute(text(statement), values)


def test_an_upgrade_keeps_webhooks_bodies_and_attempts(
    former: Database, vault: Vault
) -> None:
    _fill(former, vault)

    schema.upgrade(former)

    with former.reading() as session:
        webhooks = session.exec(select(Webhook).order_by("id")).all()
        bodies = session.exec(select(WebhookBody)).all()
        attempts = session.exec(select(Attempt)).all()
    assert [(each.id, each.outcome) for each in webhooks] == [
        (1, "waiting"),
        (2, "delivered"),
    ]
    assert [each.due_at for each in webhooks] == [NOON, NOON]
    assert {each.body for each in bodies} == {b"sealed body"}
    assert {each.webhook_id for each in bodies} == {1, 2}
    assert {(each.id, each.webhook_id, each.status) for each in attempts} == {
        (11, 1, 503),
        (12, 2, 503),
    }
    assert {(each.worker, each.sent_bytes) for each in attempts} == {("", 0)}
    assert schema.differences(former) == []


def test_a_downgrade_keeps_them_too(former: Database, vault: Vault) -> None:
    _fill(former, vault)
    schema.upgrade(former)

    schema.downgrade(former, "0001")

    with former.reading() as session:
        counts = [
            session.connection().execute(text(f"SELECT count(*) FROM {table}")).scalar()  # noqa: S608 - names of our own
            for table in ("webhook", "webhook_body", "attempt")
        ]
    assert counts == [2, 2, 2]
