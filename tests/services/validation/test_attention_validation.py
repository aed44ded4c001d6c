"""Needs attention, about validation and silence: counted, and said once."""

from datetime import timedelta

import pytest

from dashboard.db import Database
from dashboard.models.check import Finding, Source
from dashboard.models.webhook import Outcome
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.status.attention import Action
from dashboard.services.validation import evidence
from tests.makers import NOON, a_connection, a_webhook
from tests.services.status.test_attention import listed, store, zoom_app

__all__ = ["zoom_app"]


def test_a_secret_mismatch_is_trouble(database: Database, zoom_app: ZoomApp) -> None:
    with database.writing() as session:
        evidence.record(
            session,
            zoom_app_id=zoom_app.id,
            source=Source.ZOOM_CHALLENGE,
            finding=Finding.SECRET_MISMATCH,
            detail="Zoom signed with another secret token.",
            at=NOON,
        )

    found = listed(database)

    assert [(item.tone, item.action) for item in found] == [
        ("trouble", Action.OPEN_APP)
    ]
    assert found[0].detail == "Zoom signed with another secret token."


def test_an_overdue_validation_is_said(database: Database, zoom_app: ZoomApp) -> None:
    long_ago = NOON - timedelta(days=5)
    with database.writing() as session:
        app = session.get_one(ZoomApp, zoom_app.id)
        app.secret_token_set_at = long_ago - timedelta(hours=1)
        session.add(app)
        for source in (Source.ZOOM_CHALLENGE, Source.RECALL_CHALLENGE):
            evidence.record(
                session,
                zoom_app_id=zoom_app.id,
                source=source,
                finding=Finding.GOOD,
                detail="Answered.",
                at=long_ago,
            )

    found = listed(database)

    assert [(item.tone, item.action) for item in found] == [
        ("waiting", Action.OPEN_APP)
    ]
    assert "overdue" in found[0].sentence


def challenged(
    database: Database, zoom_app: ZoomApp, finding: Finding, *days_ago: int
) -> None:
    with database.writing() as session:
        for days in days_ago:
            evidence.record(
                session,
                zoom_app_id=zoom_app.id,
                source=Source.ZOOM_CHALLENGE,
                finding=finding,
                detail="It came too late.",
                at=NOON - timedelta(days=days),
            )


@pytest.mark.parametrize(
    ("days_ago", "sentence"),
    [
        ((1,), "Validation fails for {app}: 1 of 6 failures."),
        ((7, 4, 1), "Validation fails for {app}: 3 of 6 failures."),
        (
            (16, 13, 10, 7, 4, 1),
            "Zoom has switched off the webhooks of {app}: 6 of 6 failures.",
        ),
    ],
)
def test_failures_are_counted_until_zoom_switches_off(
    database: Database, zoom_app: ZoomApp, days_ago: tuple[int, ...], sentence: str
) -> None:
    challenged(database, zoom_app, Finding.FAILED, *days_ago)

    [item] = listed(database)

    assert (item.tone, item.action) == ("trouble", Action.OPEN_APP)
    assert item.sentence == sentence.format(app="Notetaker (development)")
    assert item.since == NOON - timedelta(days=1)


def test_an_app_that_recall_lost_is_trouble(
    database: Database, zoom_app: ZoomApp
) -> None:
    with database.writing() as session:
        evidence.record(
            session,
            zoom_app_id=zoom_app.id,
            source=Source.RECALL_API,
            finding=Finding.GONE,
            detail="Recall has no such app.",
            at=NOON,
        )

    [item] = listed(database)

    assert item.sentence == "Notetaker (development): gone from Recall."
    assert "create it again or adopt one" in item.detail


def fallen_silent(database: Database, zoom_app: ZoomApp) -> None:
    long_ago = NOON - timedelta(days=9)
    store(
        database,
        a_connection(zoom_app, connected_at=long_ago),
        a_webhook(zoom_app, received_at=long_ago, outcome=Outcome.DELIVERED),
    )


def test_an_app_that_fell_silent_is_trouble(
    database: Database, zoom_app: ZoomApp
) -> None:
    fallen_silent(database, zoom_app)

    [item] = listed(database)

    assert (item.tone, item.action) == ("trouble", Action.OPEN_APP)
    assert "No event came from Zoom for 9 days" in item.sentence


def test_that_zoom_switched_off_says_already_why_it_is_silent(
    database: Database, zoom_app: ZoomApp
) -> None:
    fallen_silent(database, zoom_app)
    challenged(database, zoom_app, Finding.FAILED, 6, 5, 4, 3, 2, 1)

    [item] = listed(database)

    assert "switched off" in item.sentence


def test_of_a_retired_app_nothing_is_expected(
    database: Database, zoom_app: ZoomApp
) -> None:
    fallen_silent(database, zoom_app)
    challenged(database, zoom_app, Finding.FAILED, 1)
    with database.writing() as session:
        session.get_one(ZoomApp, zoom_app.id).retired_at = NOON

    assert listed(database) == []
