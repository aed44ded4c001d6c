"""What was seen of a zoom app is one list: each source by its name, no look twice."""

from datetime import timedelta
from uuid import UUID

import pytest

from dashboard.db import Database
from dashboard.models.check import Finding, Source
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.probes import recent
from dashboard.services.validation import evidence
from dashboard.vault import Vault
from tests.makers import LATER, NOON, a_webhook, saved_app

HOUR = timedelta(hours=1)


@pytest.fixture
def app_id(database: Database, vault: Vault) -> UUID:
    with database.writing() as session:
        return saved_app(session, vault)


def note(
    database: Database,
    app_id: UUID,
    source: Source,
    finding: Finding,
    *hours_ago: int,
    told_hours_ago: int | None = None,
) -> None:
    told = None if told_hours_ago is None else NOON - HOUR * told_hours_ago
    with database.writing() as session:
        for hours in hours_ago:
            evidence.record(
                session,
                zoom_app_id=app_id,
                source=source,
                finding=finding,
                detail="it was so.",
                told_at=told,
                at=NOON - HOUR * hours,
            )


def shown(database: Database, app_id: UUID) -> list[tuple[str, str, float]]:
    with database.reading() as session:
        found = recent.latest(session, app_id, now=LATER)
    return [(one.title, one.word, (NOON - one.at) / HOUR) for one in found]


@pytest.mark.parametrize(
    ("source", "title"),
    [
        (Source.ZOOM_CHALLENGE, "Validation request from Zoom"),
        (Source.OUTSIDE_PROBE, "Self-test of the public URL"),
        (Source.RECALL_CHALLENGE, "Validation request forwarded to Recall"),
        (Source.RECALL_PROBE, "Test request to Recall"),
        (Source.RECALL_API, "Recall's API"),
        (Source.RECALL_LOG, "Recall's log"),
    ],
)
def test_each_source_has_its_name(
    database: Database, app_id: UUID, source: Source, title: str
) -> None:
    note(database, app_id, source, Finding.GOOD, 1)

    assert shown(database, app_id) == [(title, "Valid", 1)]


@pytest.mark.parametrize(
    ("finding", "word"),
    [
        (Finding.GOOD, "Valid"),
        (Finding.SECRET_MISMATCH, "Mismatch"),
        (Finding.FAILED, "Failed"),
        (Finding.NOT_SEEN, "Never"),
        (Finding.GONE, "Deleted"),
        (Finding.NOTED, "Info"),
    ],
)
def test_each_finding_has_its_word(
    database: Database, app_id: UUID, finding: Finding, word: str
) -> None:
    note(database, app_id, Source.RECALL_API, finding, 1)

    assert shown(database, app_id) == [("Recall's API", word, 1)]


def test_webhooks_and_evidence_stand_in_one_list_newest_first(
    database: Database, app_id: UUID
) -> None:
    note(database, app_id, Source.ZOOM_EVENT, Finding.GOOD, 2)
    note(database, app_id, Source.ZOOM_CHALLENGE, Finding.GOOD, 3, 1)
    with database.writing() as session:
        app = session.get_one(ZoomApp, app_id)
        session.add(a_webhook(app, received_at=NOON - 2 * HOUR))

    assert shown(database, app_id) == [
        ("Validation request from Zoom", "Valid", 1),
        ("meeting.created", "Waiting", 2),
        ("Validation request from Zoom", "Valid", 3),
    ]


def test_a_look_that_says_the_same_again_is_shown_once(
    database: Database, app_id: UUID
) -> None:
    note(database, app_id, Source.RECALL_PROBE, Finding.FAILED, 40)
    note(database, app_id, Source.RECALL_PROBE, Finding.GOOD, 30, 20, 10)
    note(database, app_id, Source.RECALL_API, Finding.GOOD, 9, 8, told_hours_ago=50)
    note(database, app_id, Source.RECALL_API, Finding.GOOD, 7, told_hours_ago=7)

    assert shown(database, app_id) == [
        ("Recall's API", "Valid", 7),
        ("Recall's API", "Valid", 8),
        ("Test request to Recall", "Valid", 10),
        ("Test request to Recall", "Failed", 40),
    ]


def test_an_entry_of_recalls_log_stands_where_recall_wrote_it(
    database: Database, app_id: UUID
) -> None:
    note(database, app_id, Source.RECALL_LOG, Finding.NOTED, 1, told_hours_ago=30)
    note(database, app_id, Source.ZOOM_CHALLENGE, Finding.GOOD, 20)

    assert shown(database, app_id) == [
        ("Validation request from Zoom", "Valid", 20),
        ("Recall's log", "Info", 30),
    ]
