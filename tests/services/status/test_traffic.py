"""The last 24 hours of a zoom app, by the hour."""

from datetime import timedelta

from sqlalchemy import event as sql

from dashboard.db import Database
from dashboard.models.check import Finding, Source
from dashboard.models.ids import new_id
from dashboard.models.webhook import Outcome, RefusalCount
from dashboard.services.probes import recent
from dashboard.services.runtime import Runtime
from dashboard.services.status import traffic, zoom_app
from dashboard.services.validation import evidence
from dashboard.services.zoom_apps import apps
from dashboard.vault import Vault
from tests.makers import LATER, NOON, a_webhook, a_zoom_app, saved_app

HOUR = timedelta(hours=1)
NOW = NOON + timedelta(minutes=30)


def test_webhooks_fall_into_the_hour_they_came_in(
    database: Database, vault: Vault
) -> None:
    app, other = a_zoom_app(vault), a_zoom_app(vault)
    with database.writing() as session:
        session.add_all([app, other])
        session.flush()
        session.add(a_webhook(app, received_at=NOON))
        session.add(a_webhook(app, received_at=NOON - timedelta(milliseconds=1)))
        session.add(a_webhook(app, received_at=NOON - HOUR, outcome=Outcome.DEAD))
        session.add(a_webhook(app, received_at=NOON - HOUR * 23))
        session.add(a_webhook(app, received_at=NOON - HOUR * 24))
        session.add(a_webhook(other, received_at=NOON))
        session.add(
            RefusalCount(
                id=new_id(NOON),
                zoom_app_id=app.id,
                cause="signature",
                hour_at=NOON - HOUR * 2,
                requests=7,
            )
        )

    with database.reading() as session:
        day = traffic.last_day(session, app.id, now=NOW)

    counts = [(one.received, one.dead, one.refused) for one in day.hours]
    assert len(counts) == 24
    assert counts[0] == (1, 0, 0)
    assert counts[-3:] == [(0, 0, 7), (2, 1, 0), (1, 0, 0)]
    assert day.hours[-1].starts_at == NOON
    assert (day.received, day.dead, day.waiting) == (4, 1, 4)


def test_many_apps_are_counted_apart_in_as_many_statements_as_one(
    database: Database, vault: Vault
) -> None:
    every = [a_zoom_app(vault) for _ in range(4)]
    with database.writing() as session:
        session.add_all(every)
        session.flush()
        for number, app in enumerate(every):
            for _ in range(number):
                session.add(a_webhook(app, received_at=NOON, outcome=Outcome.DEAD))
            session.add(a_webhook(app, received_at=NOON, outcome=Outcome.WAITING))
    asked: list[str] = []

    with database.reading() as session:
        connection = session.connection()
        sql.listen(connection, "before_cursor_execute", lambda *a: asked.append(a[2]))
        days = traffic.last_days(session, [app.id for app in every], now=NOW)

    found = [days[app.id] for app in every]
    assert [(day.received, day.dead) for day in found] == [
        (number + 1, number) for number in range(4)
    ]
    assert [day.waiting for day in found] == [1] * 4
    assert len(asked) == 3


def test_what_was_seen_mixes_evidence_and_events_newest_first(
    database: Database, vault: Vault
) -> None:
    app = a_zoom_app(vault)
    with database.writing() as session:
        session.add(app)
        session.flush()
        session.add(a_webhook(app, received_at=NOON, outcome=Outcome.DELIVERED))
        session.add(a_webhook(app, event=evidence.CHALLENGE))
        for source, minutes in (
            (Source.ZOOM_CHALLENGE, -1),
            (Source.ZOOM_EVENT, 0),
            (Source.RECALL_PROBE, 1),
        ):
            evidence.record(
                session,
                zoom_app_id=app.id,
                source=source,
                finding=Finding.GOOD,
                detail="it was so.",
                at=NOON + timedelta(minutes=minutes),
            )

    with database.reading() as session:
        seen = recent.latest(session, app.id, now=LATER)

    assert [(one.title, one.word) for one in seen] == [
        ("Test request to Recall", "Valid"),
        ("meeting.created", "Delivered"),
        ("Validation request from Zoom", "Valid"),
    ]
    assert seen[0].detail == "It was so."


def test_the_summary_tells_everything_but_the_secrets(runtime: Runtime) -> None:
    with runtime.database.writing() as session:
        zoom_app_id = saved_app(session, runtime.vault)

    with runtime.database.reading() as session:
        found = zoom_app.summary(
            session,
            apps.get(session, zoom_app_id),
            evidence.evidence(session, zoom_app_id, now=LATER),
            settings=runtime.settings,
            public_url=runtime.public_url,
            now=NOW,
        )

    assert found.webhook_url == f"{runtime.public_url}/hooks/zoom/{zoom_app_id}"
    assert found.recall_webhook_url is not None
    assert found.recall_webhook_url.endswith(f"{found.recall_app_id}/webhook")
    assert found.region == "us-east-1"
    assert "test-" not in repr(found)
