"""Evidence is kept, and gathered into what a status is judged by."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import Session

from dashboard.db import Database
from dashboard.errors import NotFoundError
from dashboard.models.check import Finding, Source
from dashboard.services.validation import evidence
from dashboard.vault import Vault
from tests.makers import NOON, a_webhook, a_zoom_app

HOUR = timedelta(hours=1)


def an_app(session: Session, vault: Vault) -> UUID:
    zoom_app = a_zoom_app(vault)
    session.add(zoom_app)
    session.flush()
    return zoom_app.id


def note(
    session: Session,
    zoom_app_id: UUID,
    source: Source,
    finding: Finding,
    hours_ago: int = 0,
) -> None:
    evidence.record(
        session,
        zoom_app_id=zoom_app_id,
        source=source,
        finding=finding,
        detail=f"{source} {finding}",
        at=NOON - HOUR * hours_ago,
    )


def test_an_app_of_which_nothing_was_seen_has_no_evidence(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        zoom_app_id = an_app(session, vault)

    with database.reading() as session:
        found = evidence.evidence(session, zoom_app_id)

    assert found.challenge is None
    assert found.event_at is None
    assert not found.is_in_recall


def test_the_newest_of_each_source_is_the_evidence(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        zoom_app_id = an_app(session, vault)
        note(session, zoom_app_id, Source.ZOOM_CHALLENGE, Finding.FAILED, 9)
        note(session, zoom_app_id, Source.ZOOM_CHALLENGE, Finding.GOOD, 8)
        note(session, zoom_app_id, Source.ZOOM_CHALLENGE, Finding.SECRET_MISMATCH, 7)
        note(session, zoom_app_id, Source.ZOOM_CHALLENGE, Finding.SECRET_MISMATCH, 6)
        note(session, zoom_app_id, Source.RECALL_PROBE, Finding.FAILED, 5)
        note(session, zoom_app_id, Source.RECALL_CHALLENGE, Finding.GOOD, 4)
        note(session, zoom_app_id, Source.RECALL_API, Finding.NOT_SEEN, 3)

    with database.reading() as session:
        found = evidence.evidence(session, zoom_app_id)

    assert found.challenge is not None
    assert found.challenge.at == NOON - HOUR * 6
    assert found.good_challenge is not None
    assert found.good_challenge.at == NOON - HOUR * 8
    assert found.failures == 2
    assert found.recall is not None
    assert found.recall.source is Source.RECALL_CHALLENGE
    assert found.recall_api is not None
    assert found.recall_api.finding is Finding.NOT_SEEN


def test_another_apps_evidence_is_not_ours(database: Database, vault: Vault) -> None:
    with database.writing() as session:
        zoom_app_id, other_id = an_app(session, vault), an_app(session, vault)
        note(session, other_id, Source.ZOOM_CHALLENGE, Finding.GOOD)

    with database.reading() as session:
        found = evidence.evidence(session, zoom_app_id)

    assert found.good_challenge is None


def test_a_challenge_is_not_taken_for_a_genuine_event(
    database: Database, vault: Vault
) -> None:
    zoom_app = a_zoom_app(vault)
    with database.writing() as session:
        session.add(zoom_app)
        session.flush()
        session.add(a_webhook(zoom_app, received_at=NOON - HOUR))
        session.add(a_webhook(zoom_app, event=evidence.CHALLENGE))

    with database.reading() as session:
        found = evidence.evidence(session, zoom_app.id)

    assert found.event_at == NOON - HOUR


def test_a_detail_that_is_too_long_is_cut_not_refused(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        check = evidence.record(
            session,
            zoom_app_id=an_app(session, vault),
            source=Source.RECALL_PROBE,
            finding=Finding.FAILED,
            detail="x" * 1000,
            at=NOON,
        )

    assert len(check.detail) == 300


def test_no_such_app_is_said(database: Database) -> None:
    with database.reading() as session, pytest.raises(NotFoundError):
        evidence.evidence(session, uuid4())
