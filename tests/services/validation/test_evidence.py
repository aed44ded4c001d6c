"""Evidence is kept, and gathered into what a status is judged by."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event as sql
from sqlmodel import Session, col, func, select

from dashboard.db import Database
from dashboard.errors import NotFoundError
from dashboard.models.check import Check, Finding, Source
from dashboard.models.ids import new_id
from dashboard.models.webhook import Refusal
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services.receiver import signatures
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import Evidence, State, ValidationStatus
from dashboard.vault import Vault
from tests.makers import LATER, NOON, a_webhook, a_zoom_app, saved_app

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
        found = evidence.evidence(session, zoom_app_id, now=LATER)

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
        found = evidence.evidence(session, zoom_app_id, now=LATER)

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
        found = evidence.evidence(session, zoom_app_id, now=LATER)

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
        found = evidence.evidence(session, zoom_app.id, now=LATER)

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
        evidence.evidence(session, uuid4(), now=LATER)


MINUTE_H = 1 / 60


GOOD, FAILED, MISMATCH = Finding.GOOD, Finding.FAILED, Finding.SECRET_MISMATCH


NOT_SEEN, GONE = Finding.NOT_SEEN, Finding.GONE


CHALLENGE, PROBE, API = Source.ZOOM_CHALLENGE, Source.RECALL_PROBE, Source.RECALL_API


Note = tuple[Source, Finding, float] | tuple[Source, Finding, float, float]


@pytest.fixture
def app_id(database: Database, vault: Vault) -> UUID:
    with database.writing() as session:
        return saved_app(session, vault)


def record(database: Database, app_id: UUID, *notes: Note) -> None:
    """Record (source, finding, hours ago, and of how many hours ago it speaks)."""
    for source, finding, hours_ago, *told in notes:
        with database.writing() as session:
            evidence.record(
                session,
                zoom_app_id=app_id,
                source=source,
                finding=finding,
                detail=f"{source} {finding}",
                told_at=NOON - HOUR * told[0] if told else None,
                at=NOON - HOUR * hours_ago,
            )


def gathered(database: Database, app_id: UUID) -> Evidence:
    with database.reading() as session:
        return evidence.evidence(session, app_id, now=LATER)


def count(database: Database, source: Source) -> int:
    query = select(func.count()).where(col(Check.source) == source)
    with database.reading() as session:
        return session.exec(query).one()


@pytest.mark.parametrize(
    ("notes", "failures"),
    [
        ([], 0),
        ([(CHALLENGE, GOOD, 1)], 0),
        ([(CHALLENGE, FAILED, 80), (CHALLENGE, MISMATCH, 8)], 2),
        ([(CHALLENGE, MISMATCH, 80), (CHALLENGE, GOOD, 9), (CHALLENGE, FAILED, 8)], 1),
        ([(CHALLENGE, MISMATCH, 80), (CHALLENGE, GOOD, 9)], 0),
        ([(CHALLENGE, MISMATCH, 72.0 * back) for back in range(9, 0, -1)], 9),
        ([(CHALLENGE, MISMATCH, 9 - MINUTE_H * n) for n in range(9)], 1),
    ],
    ids=[
        "none",
        "a good one",
        "two",
        "one since a good one",
        "healed",
        "nine rounds",
        "pressed nine times in as many minutes",
    ],
)
def test_failures_in_a_row_are_rounds_since_the_last_good_one(
    database: Database, app_id: UUID, notes: list[Note], failures: int
) -> None:
    record(database, app_id, *notes)

    assert gathered(database, app_id).failures == failures


def test_a_flood_of_failed_challenges_hides_neither_count_nor_the_good_one(
    database: Database, app_id: UUID
) -> None:
    record(database, app_id, (CHALLENGE, GOOD, 400))
    for back in (300, 228, 156):
        record(database, app_id, (CHALLENGE, FAILED, back))
    for n in range(200):
        record(database, app_id, (CHALLENGE, MISMATCH, 80 - n * MINUTE_H / 6))

    found = gathered(database, app_id)

    assert found.good_challenge is not None
    assert found.good_challenge.at == NOON - HOUR * 400
    assert 4 <= found.failures <= 3 + 200 / 60 + 1
    assert count(database, CHALLENGE) < 20


def test_of_what_recalls_api_says_again_and_again_the_first_and_last_are_kept(
    database: Database, app_id: UUID
) -> None:
    record(database, app_id, (API, NOT_SEEN, 90))
    record(database, app_id, *[(API, GOOD, 80 - n, 81) for n in range(30)])
    record(database, app_id, *[(API, FAILED, 40 - n) for n in range(30)])

    with database.reading() as session:
        rows = session.exec(
            select(Check).where(col(Check.source) == API).order_by(col(Check.id))
        ).all()

    assert [(row.finding, (NOON - row.at) / HOUR) for row in rows] == [
        (NOT_SEEN, 90),
        (GOOD, 80),
        (GOOD, 51),
        (FAILED, 40),
        (FAILED, 11),
    ]


def test_recalls_api_not_answering_leaves_what_it_said_before(
    database: Database, app_id: UUID
) -> None:
    record(database, app_id, (API, GOOD, 30, 31))
    record(database, app_id, *[(API, FAILED, 29 - n) for n in range(29)])

    found = gathered(database, app_id).recall_api

    assert found is not None
    assert (found.finding, found.at) == (GOOD, NOON - HOUR * 30)


def test_what_recall_said_of_a_former_app_says_nothing_of_the_new_one(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        made_at = NOON - HOUR * 2
        app_id = saved_app(session, vault, recall_created_at=made_at)
    record(database, app_id, (PROBE, MISMATCH, 3), (API, GONE, 3))
    record(database, app_id, (Source.OUTSIDE_PROBE, GOOD, 3))

    found = gathered(database, app_id)

    assert (found.recall, found.recall_api) == (None, None)
    assert found.self_test is not None


@pytest.mark.parametrize("routing", Routing)
def test_zooms_validation_at_recall_outlives_our_own_probes(
    database: Database, vault: Vault, routing: Routing
) -> None:
    with database.writing() as session:
        app_id = saved_app(session, vault, routing=routing)
    record(database, app_id, (API, GOOD, 50, 50.5))
    for back in (48, 24, 1):
        record(database, app_id, (PROBE, GOOD, back), (API, GOOD, back, back))

    found = gathered(database, app_id)

    assert found.recall_api is not None
    assert found.recall_api.told_at == NOON - HOUR
    if routing is Routing.DIRECT:
        assert found.zoom_at_recall is not None
        assert found.zoom_at_recall.told_at == NOON - HOUR * 50.5
    else:
        assert found.zoom_at_recall is None


def test_a_log_entry_decides_nothing(database: Database, app_id: UUID) -> None:
    before = gathered(database, app_id)

    record(database, app_id, (Source.RECALL_LOG, Finding.NOTED, 1, 2))

    assert gathered(database, app_id) == before


def test_an_app_of_which_much_was_seen_costs_few_queries(
    database: Database, app_id: UUID
) -> None:
    for source in Source:
        record(database, app_id, *[(source, GOOD, 50 - n, 50 - n) for n in range(40)])
    asked: list[str] = []

    with database.reading() as session:
        connection = session.connection()
        sql.listen(connection, "before_cursor_execute", lambda *a: asked.append(a[2]))
        evidence.evidence(session, app_id, now=LATER)

    assert len(asked) == 3


def test_the_looks_at_the_evidence_go_over_an_index(
    sqlite: Database, vault: Vault
) -> None:
    with sqlite.writing() as session:
        app_id = saved_app(session, vault)
    asked: list[tuple[str, object]] = []

    with sqlite.reading() as session:
        connection = session.connection()
        sql.listen(
            connection,
            "before_cursor_execute",
            lambda *args: asked.append((args[2], args[3])),
        )
        evidence.evidence(session, app_id, now=LATER)
        evidence.latest(session, uuid4(), now=LATER)
        plans = [
            row[3]
            for statement, values in list(asked)
            for row in connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}",
                values,  # type: ignore[arg-type]  # as they were given
            )
        ]

    assert plans
    assert not [plan for plan in plans if plan.startswith("SCAN validation_check")]
    assert not [plan for plan in plans if plan.startswith("SCAN webhook")]


def a_refusal(app: ZoomApp, hours_ago: float, **over: Any) -> Refusal:
    at = NOON - HOUR * hours_ago
    values = {"cause": "signature", "user_agent": "Zoom Marketplace/1.0a", **over}
    return Refusal(
        id=new_id(at),
        zoom_app_id=app.id,
        detail="No.",
        status=401,
        body_bytes=2,
        received_at=at,
        **values,
    )


def zoom_status(database: Database, app: ZoomApp) -> ValidationStatus:
    with database.reading() as session:
        return evidence.zoom_status(evidence.evidence(session, app.id, now=NOON), NOON)


def test_rejected_requests_end_the_proof_at_once_and_a_validate_restores_it(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        entered = NOON - 40 * HOUR
        its_id = saved_app(session, vault, secret_token_set_at=entered)
        app = session.get_one(ZoomApp, its_id)
        note(session, app.id, Source.ZOOM_CHALLENGE, Finding.GOOD, 20)
        session.add(a_webhook(app, received_at=NOON - 10 * HOUR))
        session.add(a_refusal(app, 12))  # an event was accepted since
        session.add(a_refusal(app, 9, cause="too_old"))
        session.add(a_refusal(app, 8, user_agent="Zoom (dashboard probe 12ab)"))
    before = zoom_status(database, app)
    with database.writing() as session:
        session.add_all([a_refusal(app, 3), a_refusal(app, 2)])
    ended = zoom_status(database, app)
    with database.writing() as session:
        note(session, app.id, Source.ZOOM_CHALLENGE, Finding.GOOD, 1)

    assert before.state is State.VALID
    assert ended.state is State.NOT_PROVEN
    assert ended.since == NOON - 3 * HOUR
    assert ended.sentence.startswith(
        "Not proven since 2026-11-23 09:00 UTC: 2 requests were rejected"
    )
    assert zoom_status(database, app).state is State.VALID


def test_the_causes_that_end_a_proof_are_the_receivers() -> None:
    assert set(evidence.REFUSED_AS) == {cause.value for cause in signatures.MISMATCHES}


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        (Source.OUTSIDE_PROBE, Finding.FAILED),
        (Source.RECALL_PROBE, Finding.SECRET_MISMATCH),
        (Source.RECALL_API, Finding.GONE),
    ],
)
def test_trouble_has_the_same_beginning_however_often_it_is_seen(
    database: Database, vault: Vault, source: Source, finding: Finding
) -> None:
    with database.writing() as session:
        its_id = saved_app(session, vault, secret_token_set_at=NOON - 40 * HOUR)
        for hours_ago, seen in ((9, finding), (8, Finding.GOOD), (7, finding)):
            note(session, its_id, source, seen, hours_ago)

    beginnings = []
    for hours_ago in (5, 3, 1):
        with database.writing() as session:
            note(session, its_id, source, finding, hours_ago)
        with database.reading() as session:
            found = evidence.evidence(session, its_id, now=LATER)
        status = evidence.status(found, NOON)
        beginnings.append(status.since)

    assert status.tone == "trouble"
    assert beginnings == [NOON - 7 * HOUR] * 3


@pytest.mark.parametrize(
    "seen",
    [
        [],
        [(Source.RECALL_API, Finding.GONE)],
        [(Source.RECALL_PROBE, Finding.GONE)],
        [(Source.RECALL_API, Finding.GONE), (Source.RECALL_API, Finding.GOOD)],
        [(Source.RECALL_API, Finding.GONE), (Source.RECALL_PROBE, Finding.GOOD)],
        [(Source.RECALL_API, Finding.GONE), (Source.RECALL_API, Finding.FAILED)],
        [(Source.RECALL_API, Finding.GONE), (Source.RECALL_CHALLENGE, Finding.NOTED)],
        [(Source.RECALL_API, Finding.GOOD), (Source.RECALL_API, Finding.GONE)],
        [(Source.RECALL_API, Finding.GONE), (Source.ZOOM_CHALLENGE, Finding.GOOD)],
    ],
)
@pytest.mark.parametrize("made_hours_ago", [None, 30, 0])
def test_the_apps_that_recall_deleted_are_those_whose_way_says_so(
    database: Database,
    vault: Vault,
    seen: list[tuple[Source, Finding]],
    made_hours_ago: int | None,
) -> None:
    made_at = None if made_hours_ago is None else NOON - HOUR * made_hours_ago
    with database.writing() as session:
        app = a_zoom_app(vault, recall_app_id=uuid4(), recall_created_at=made_at)
        session.add(app)
        session.flush()
        app_id = app.id
        for hours_ago, (source, finding) in zip((20, 10), seen, strict=False):
            note(session, app_id, source, finding, hours_ago)

    with database.reading() as session:
        status = evidence.recall_status(
            evidence.evidence(session, app_id, now=NOON), NOON
        )
        gone = evidence.deleted_in_recall(session, now=NOON)

    assert (app_id in gone) is (status.title == "Deleted in Recall")
