"""Every topic's version moves with what its page shows, and with nothing else."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import SQLModel

from dashboard.db import Database
from dashboard.models.check import Check, Finding, Source
from dashboard.models.connection import Connection, MeetingMapping, TokenState
from dashboard.models.ids import new_id
from dashboard.models.webhook import Arrival, Attempt, Outcome, Refusal, Webhook
from dashboard.models.zoom_app import SecretChange, ZoomApp
from dashboard.services import audit
from dashboard.services.live import topics
from dashboard.services.setup import first_seen
from dashboard.services.setup.steps import StepKey
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_webhook, saved_app

LATER = NOON + timedelta(minutes=1)


class World:
    """One app with one webhook and one connection."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.database = database
        with database.writing() as session:
            self.app = session.get_one(ZoomApp, saved_app(session, vault))
            self.webhook = a_webhook(self.app)
            self.connection = a_connection(self.app)
            session.add(self.webhook)
            session.add(self.connection)
        self.topics = {
            "webhooks": "webhooks",
            "webhook": f"webhook-{self.webhook.id}",
            "connections": "connections",
            "connection": f"connection-{self.connection.id}",
            "zoom app": f"zoom-app-{self.app.id}",
            "overview": "overview",
        }

    def versions(self) -> dict[str, str]:
        with self.database.reading() as session:
            found = topics.versions(session, self.topics.values())
        return {name: found[topic] for name, topic in self.topics.items()}

    def store(self, *rows: SQLModel) -> None:
        with self.database.writing() as session:
            for row in rows:
                session.add(row)

    def change(self, model: type[SQLModel], key: Any, **values: object) -> None:
        with self.database.writing() as session:
            row = session.get_one(model, key)
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)


@pytest.fixture
def world(database: Database, vault: Vault) -> World:
    return World(database, vault)


def a_webhook_came(world: World) -> None:
    world.store(a_webhook(world.app, received_at=LATER))


def an_attempt_was_made(world: World) -> None:
    world.store(
        Attempt(
            id=new_id(LATER),
            webhook_id=world.webhook.id,
            started_at=LATER,
            latency_ms=1,
            sent_sha256="0" * 64,
        )
    )
    world.change(Webhook, world.webhook.id, outcome=Outcome.DELIVERED, attempts=1)


def it_came_again(world: World) -> None:
    row = Arrival(
        id=new_id(LATER), webhook_id=world.webhook.id, sent_at_s=1, received_at=LATER
    )
    world.store(row)
    world.change(Webhook, world.webhook.id, arrivals=2)


def it_was_resent(world: World) -> None:
    world.change(Webhook, world.webhook.id, claim=1, due_at=LATER)
    with world.database.writing() as session:
        audit.record(
            session, audit.COMMAND_LINE, "webhook.resent", subject="", now=LATER
        )


def a_request_was_refused(world: World) -> None:
    world.store(
        Refusal(
            id=new_id(LATER),
            zoom_app_id=world.app.id,
            cause="signature",
            detail="",
            status=401,
            body_bytes=1,
            received_at=LATER,
        )
    )


def validation_was_seen(world: World) -> None:
    world.store(
        Check(
            id=new_id(LATER),
            zoom_app_id=world.app.id,
            source=Source.ZOOM_CHALLENGE,
            finding=Finding.GOOD,
            detail="",
            at=LATER,
        )
    )


def recall_was_looked_at(world: World) -> None:
    world.store(
        *(
            Check(
                id=new_id(LATER),
                zoom_app_id=world.app.id,
                source=source,
                finding=Finding.NOTED,
                detail="",
                at=LATER,
            )
            for source in (Source.RECALL_LOG, Source.OUTSIDE_PROBE)
        )
    )


def somebody_connected(world: World) -> None:
    world.store(a_connection(world.app))


def a_connection_was_looked_at(world: World) -> None:
    world.change(
        Connection,
        world.connection.id,
        token_state=TokenState.UNKNOWN,
        token_checked_at=LATER,
        due_at=LATER + timedelta(hours=6),
        claim=1,
    )


def a_milestone_was_stored(world: World) -> None:
    app_id = world.connection.zoom_app_id
    with world.database.writing() as session:
        session.add(
            first_seen.milestone(app_id, StepKey.EVENT, at=LATER, proof="It arrived.")
        )


def a_change_of_secrets_failed(world: World) -> None:
    world.store(
        SecretChange(
            id=new_id(LATER),
            zoom_app_id=world.app.id,
            asked_by="ana@example.com",
            has_client_secret=False,
            has_secret_token=True,
            stored_at=LATER,
            recall_error="Recall did not answer.",
            recall_due_at=LATER,
        )
    )


def the_pmi_changed(world: World) -> None:
    world.change(Connection, world.connection.id, pmi=5550000000)


def a_meeting_was_mapped(world: World) -> None:
    world.store(
        MeetingMapping(
            id=new_id(LATER),
            connection_id=world.connection.id,
            meeting_id=1,
            synced_at=LATER,
            seen_at=LATER,
        )
    )


def the_app_was_created_in_recall(world: World) -> None:
    world.change(ZoomApp, world.app.id, recall_app_id=uuid4(), version=2)


@pytest.mark.parametrize(
    ("act", "moved"),
    [
        (a_webhook_came, {"webhooks", "zoom app", "overview"}),
        (an_attempt_was_made, {"webhooks", "webhook", "overview"}),
        (it_came_again, {"webhooks", "webhook", "overview"}),
        (it_was_resent, {"webhooks", "webhook", "connections", "overview"}),
        (a_request_was_refused, {"webhooks", "overview"}),
        (validation_was_seen, {"zoom app", "overview"}),
        (recall_was_looked_at, {"zoom app", "overview"}),
        (somebody_connected, {"connections", "zoom app", "overview"}),
        (
            a_connection_was_looked_at,  # its new state is told in the set-up
            {"connections", "connection", "zoom app", "overview"},
        ),
        (a_milestone_was_stored, {"zoom app", "overview"}),
        (a_change_of_secrets_failed, {"zoom app", "overview"}),
        (the_pmi_changed, {"connections", "connection", "overview"}),
        (a_meeting_was_mapped, {"connections", "connection", "overview"}),
        (the_app_was_created_in_recall, {"zoom app", "overview"}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_change_moves_its_own_topics_and_no_other(
    world: World, act: Callable[[World], None], moved: set[str]
) -> None:
    before = world.versions()

    act(world)

    after = world.versions()
    assert {name for name in after if after[name] != before[name]} == moved


def test_a_change_elsewhere_leaves_one_webhook_alone(world: World) -> None:
    other = a_webhook(world.app, received_at=LATER)
    world.store(other)
    before = world.versions()["webhook"]

    world.change(Webhook, other.id, outcome=Outcome.DEAD)

    assert world.versions()["webhook"] == before


def test_what_is_gone_has_a_version_of_its_own(world: World) -> None:
    topic = f"connection-{uuid4()}"

    with world.database.reading() as session:
        assert topics.versions(session, [topic, "nonsense"]) == {topic: "gone"}


def test_the_stamp_differs_after_a_commit_and_only_then(world: World) -> None:
    with world.database.reading() as session:
        first = topics.stamp(session, world.database)
        again = topics.stamp(session, world.database)

        world.store(a_webhook(world.app))

        assert (first == again, topics.stamp(session, world.database) == again) == (
            True,
            False,
        )


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("webhooks", True),
        ("webhook-1", True),
        (f"webhook-{2**63 - 1}", True),
        (f"webhook-{'9' * 19}", False),
        ("webhook--1", False),
        ("webhook-1;drop", False),
        ("zoom-app-00000000-0000-4000-8000-000000000001", True),
        ("zoom-app-1", False),
        ("staff", False),
        ("", False),
    ],
)
def test_only_known_topics_can_be_asked_for(name: str, *, is_one: bool) -> None:
    assert topics.is_topic(name) is is_one
