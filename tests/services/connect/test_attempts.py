"""Connect attempts: their outcomes, who may see them, the list, and lost ones."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from dashboard.db import Database
from dashboard.errors import NotFoundError
from dashboard.models.connection import AttemptOutcome, ConnectAttempt
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connect import attempts, flow
from dashboard.services.connect.attempts import OUTCOMES, Filters, LostAttempts
from dashboard.services.connect.callbacks import Stop
from dashboard.vault import Vault
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.connect import (
    BROWSER,
    OTHER,
    ConnectStage,
    query_of,
)
from tests.fixtures.invitations import invite, now_of
from tests.makers import NOON, FakeClock, a_connection, saved_app

LOST, WENT, AWAY = (
    AttemptOutcome.ABANDONED,
    AttemptOutcome.CONNECTED,
    AttemptOutcome.OPEN,
)
BEGUN = AttemptOutcome.BEGUN_AT_ZOOM


def test_an_attempt_that_never_came_back_is_given_up_and_expires_when_it_does(
    stage: ConnectStage, clock: FakeClock
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)
    clock.advance(minutes=11)

    with stage.runtime.database.writing() as session:
        count = attempts.expire(session, now=clock.now())
    given_up = stage.attempt(begun.attempt_id)
    finished = stage.finish(**query)

    attempt = stage.attempt(begun.attempt_id)
    assert count == 1
    assert (given_up.outcome, given_up.code_verifier) == (
        AttemptOutcome.ABANDONED,
        None,
    )
    assert attempt.outcome is AttemptOutcome.EXPIRED
    assert (finished.stop, finished.attempt_id) == (None, begun.attempt_id)


def test_a_result_is_shown_to_its_own_browser_alone(stage: ConnectStage) -> None:
    begun = stage.begin()
    slug = stage.app.slug

    with stage.runtime.database.reading() as session:
        attempts.result(session, slug, begun.attempt_id, browser=BROWSER, now=NOON)
        for page, attempt_id, browser in (
            (slug, begun.attempt_id, OTHER),
            (slug, begun.attempt_id, None),
            (slug, uuid4(), BROWSER),
            ("another", begun.attempt_id, BROWSER),
        ):
            with pytest.raises(NotFoundError, match="no such result"):
                attempts.result(session, page, attempt_id, browser=browser, now=NOON)


def test_a_late_way_back_in_another_browser_changes_nothing(
    stage: ConnectStage, clock: FakeClock
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)
    clock.advance(minutes=11)
    with stage.runtime.database.writing() as session:
        attempts.expire(session, now=clock.now())

    finished = stage.finish(browser=OTHER, **query)

    assert (finished.stop, finished.attempt_id) == (Stop.OTHER_BROWSER, None)
    assert stage.attempt(begun.attempt_id).outcome is AttemptOutcome.ABANDONED


def test_an_installation_begun_at_zoom_is_noted_without_its_code(
    stage: ConnectStage,
) -> None:
    url = stage.sandbox.zoom_world.install(stage.app.client_id, stage.ana.id)
    code = query_of(url)["code"]
    for _ in range(flow.INSTALLS + 5):
        finished = stage.finish(code=code)

    with stage.runtime.database.reading() as session:
        noted = session.exec(select(ConnectAttempt)).all()
    assert (finished.stop, finished.slug) == (Stop.NO_STATE, stage.app.slug)
    assert {row.outcome for row in noted} == {AttemptOutcome.BEGUN_AT_ZOOM}
    assert len(noted) == flow.INSTALLS  # a flood fills no disk
    assert not any(code in row.model_dump_json() for row in noted)


def add(
    database: Database, app_id: UUID, *outcomes: AttemptOutcome, minutes: float = 10
) -> None:
    """Add connect attempts, the newest last; in the list it is the first."""
    with database.writing() as session:
        for place, outcome in reversed(list(enumerate(outcomes))):
            at = NOON - timedelta(minutes=minutes * (place + 1))
            session.add(
                ConnectAttempt(
                    zoom_app_id=app_id,
                    state_hash=uuid4().hex,
                    browser_hash="b",
                    outcome=outcome,
                    created_at=at,
                    expires_at=at + timedelta(minutes=10),
                )
            )


def outcomes_of(database: Database) -> list[AttemptOutcome]:
    with database.reading() as session:
        query = select(ConnectAttempt).order_by(col(ConnectAttempt.created_at).desc())
        return [row.outcome for row in session.exec(query)]


@pytest.fixture
def app_ids(database: Database, vault: Vault) -> list[UUID]:
    with database.writing() as session:
        return [saved_app(session, vault) for _ in range(2)]


def test_pages_of_all_zoom_apps_are_newest_first_and_never_overlap(
    database: Database, app_ids: list[UUID]
) -> None:
    add(database, app_ids[0], *([WENT] * 60))
    add(database, app_ids[1], *([LOST] * 60), minutes=7)

    seen: list[ConnectAttempt] = []
    cursor = None
    while True:
        with database.reading() as session:
            page = attempts.page(session, Filters(), cursor=cursor)
        seen += page.rows
        cursor = page.older
        if cursor is None:
            break

    times = [row.created_at for row in seen]
    assert len({row.id for row in seen}) == 120
    assert times == sorted(times, reverse=True)


def test_attempts_are_filtered_by_how_they_ended_and_by_zoom_app(
    database: Database, app_ids: list[UUID]
) -> None:
    add(database, app_ids[0], LOST, WENT)
    add(database, app_ids[1], LOST)

    with database.reading() as session:
        lost = attempts.page(session, Filters(outcome=LOST), cursor=None).rows
        of_one = attempts.page(
            session, Filters(outcome=LOST, zoom_app_id=app_ids[0]), cursor="nonsense"
        ).rows

    assert [row.outcome for row in lost] == [LOST, LOST]
    assert [row.zoom_app_id for row in of_one] == [app_ids[0]]


@pytest.mark.parametrize(
    ("outcomes", "number"),
    [
        ([LOST, LOST, LOST], 3),
        ([AWAY, LOST, BEGUN, LOST, LOST], 3),
        ([LOST, LOST, LOST, WENT, LOST], 3),
        ([LOST, LOST], None),
        ([LOST, LOST, WENT, LOST, LOST], None),
        ([WENT, LOST, LOST, LOST, LOST], None),
        ([LOST] * 25, 20),
        ([], None),
    ],
    ids=["3", "one away", "after one", "2", "between", "came back", "many", "none"],
)
def test_it_is_said_when_the_last_attempts_were_all_lost(
    sqlite: Database, vault: Vault, outcomes: list[AttemptOutcome], number: int | None
) -> None:
    with sqlite.writing() as session:
        app_id = saved_app(session, vault)
    add(sqlite, app_id, *outcomes)

    with sqlite.reading() as session:
        app = session.get_one(ZoomApp, app_id)
        lost = attempts.find_lost(session, app, now=NOON)
        later = attempts.find_lost(session, app, now=NOON + timedelta(days=2))

    assert (lost and lost.number) == number
    assert later is None


def test_every_outcome_has_its_words() -> None:
    assert set(OUTCOMES) == set(AttemptOutcome)


def test_attempts_are_given_up_by_the_worker_once_their_time_is_over(
    database: Database, app_ids: list[UUID]
) -> None:
    add(database, app_ids[0], AWAY, AWAY, WENT)
    clock = FakeClock()

    numbers = [attempts.note_expired(database, clock) for _ in range(2)]  # type: ignore[arg-type]  # a test's clock
    first = outcomes_of(database)
    clock.advance(seconds=1)
    numbers.append(attempts.note_expired(database, clock))  # type: ignore[arg-type]  # as above

    assert numbers == [1, 0, 1]
    assert first == [AWAY, LOST, WENT]
    assert outcomes_of(database) == [LOST, LOST, WENT]


def test_an_attempt_of_another_browser_is_not_one_that_zoom_lost(
    database: Database, app_ids: list[UUID]
) -> None:
    add(database, app_ids[0], AWAY, AWAY, minutes=30)
    with database.writing() as session:
        row = session.exec(select(ConnectAttempt)).first()
        assert row is not None
        row.detail = attempts.ELSEWHERE

    with database.writing() as session:
        number = attempts.expire(session, now=NOON)

    with database.reading() as session:
        rows = session.exec(select(ConnectAttempt)).all()
    assert number == 2
    assert {each.outcome for each in rows} == {LOST, AttemptOutcome.REPLAYED}
    assert {each.ended_at for each in rows} == {NOON}


def test_the_newest_attempts_of_a_connection_are_its_own(
    stage: ConnectStage, clock: FakeClock
) -> None:
    connection = stage.connect()
    other = stage.connect(stage.sandbox.zoom_world.add_user(email="bo@example.com"))
    for _ in range(21):
        clock.advance(minutes=1)
        stage.connect()

    with stage.runtime.database.reading() as session:
        rows = attempts.of_connection(session, connection.id)
        others = attempts.of_connection(session, other.id)

    times = [row.created_at for row in rows]
    assert {row.connection_id for row in rows} == {connection.id}
    assert (len(times), times[0]) == (20, clock.now())
    assert times == sorted(times, reverse=True)
    assert [row.connection_id for row in others] == [other.id]


def test_attempts_of_a_connection_are_ordered_by_when_they_began(
    database: Database, vault: Vault
) -> None:
    times = [NOON - timedelta(hours=hours) for hours in (2, 0, 1)]
    with database.writing() as session:
        app = session.get_one(ZoomApp, saved_app(session, vault))
        connection = a_connection(app)
        session.add(connection)
        session.flush()
        for at in times:
            attempt = ConnectAttempt(
                zoom_app_id=app.id,
                connection_id=connection.id,
                state_hash=uuid4().hex,
                browser_hash="b",
                outcome=WENT,
                created_at=at,
                expires_at=at,
            )
            session.add(attempt)
            session.flush()

    with database.reading() as session:
        rows = attempts.of_connection(session, connection.id)

    assert [row.created_at for row in rows] == sorted(times, reverse=True)


def test_a_result_holds_what_its_page_shows(stage: ConnectStage) -> None:
    open_one = stage.begin()
    connection = stage.connect()
    with stage.runtime.database.reading() as session:
        [made] = attempts.of_connection(session, connection.id)
        result, still_open = (
            attempts.result(
                session, stage.app.slug, attempt_id, browser=BROWSER, now=NOON
            )
            for attempt_id in (made.id, open_one.attempt_id)
        )

    assert (result.app.id, result.attempt.id) == (stage.app.id, made.id)
    assert result.connection is not None
    assert result.connection.id == connection.id
    assert result.at == NOON
    assert still_open.connection is None


@pytest.mark.parametrize(
    ("outcome", "now", "is_over"),
    [
        (AWAY, NOON, False),
        (AWAY, NOON + timedelta(seconds=1), True),
        (WENT, NOON + timedelta(seconds=1), False),
    ],
    ids=["in time", "too late", "came back"],
)
def test_only_an_open_attempt_can_be_too_late(
    database: Database,
    app_ids: list[UUID],
    outcome: AttemptOutcome,
    now: datetime,
    *,
    is_over: bool,
) -> None:
    add(database, app_ids[0], outcome)

    with database.reading() as session:
        assert attempts.any_expired(session, now=now) is is_over


def test_lost_attempts_are_of_one_zoom_app_and_of_less_than_a_day(
    database: Database, app_ids: list[UUID]
) -> None:
    add(database, app_ids[0], LOST, LOST, LOST, LOST, minutes=6 * 60)
    add(database, app_ids[1], WENT, minutes=5)

    with database.reading() as session:
        found = [
            attempts.find_lost(session, session.get_one(ZoomApp, app_id), now=NOON)
            for app_id in app_ids
        ]

    assert found == [LostAttempts(number=3, since=NOON - timedelta(hours=18)), None]


@pytest.mark.parametrize(
    ("detail", "ended_at", "is_running"),
    [
        (attempts.INTERRUPTED, NOON, True),
        (attempts.INTERRUPTED, NOON - timedelta(minutes=2), False),
        (attempts.INTERRUPTED, None, False),
        ("", NOON, False),
        ("", None, False),
    ],
)
def test_a_code_is_exchanged_for_two_minutes_at_most(
    detail: str, ended_at: datetime | None, *, is_running: bool
) -> None:
    attempt = ConnectAttempt(
        zoom_app_id=uuid4(),
        state_hash="s",
        browser_hash="b",
        created_at=NOON,
        expires_at=NOON,
        detail=detail,
        ended_at=ended_at,
    )

    assert attempts.is_being_exchanged(attempt, now=NOON) is is_running


def test_how_an_attempt_ended_is_stored_and_said_of_its_link(
    lite: ConnectStage, clock: FakeClock
) -> None:
    made, connection = invite(lite, "ana@example.com"), lite.connect()
    begun = flow.begin(
        lite.runtime, lite.app.slug, browser=BROWSER, invitation_id=made.invitation.id
    )
    clock.advance(minutes=1)
    now = clock.now()

    with lite.runtime.database.writing() as session:
        attempts.finish(
            session,
            begun.attempt_id,
            AttemptOutcome.WRONG_ACCOUNT,
            detail="x" * 501,
            tried_as="b***@example.org",
            now=now,
        )
    wrong, link = lite.attempt(begun.attempt_id), now_of(lite, made)
    with lite.runtime.database.writing() as session:
        attempts.finish(session, begun.attempt_id, WENT, connection=connection, now=now)
    right, done = lite.attempt(begun.attempt_id), now_of(lite, made)

    assert (wrong.outcome, wrong.detail) == (AttemptOutcome.WRONG_ACCOUNT, "x" * 500)
    assert (wrong.ended_at, wrong.connection_id) == (now, None)
    assert link.tried_as == "b***@example.org"
    assert (right.outcome, right.detail, right.connection_id) == (
        WENT,
        "",
        connection.id,
    )
    assert (done.connection_id, done.ended_at) == (connection.id, now)


@pytest.mark.parametrize(
    ("is_new", "act"),
    [(True, "connection.created"), (False, "connection.reconnected")],
)
def test_the_audit_log_says_whether_a_connection_is_new(
    lite: ConnectStage, *, is_new: bool, act: str
) -> None:
    connection = lite.connect()
    at = NOON + timedelta(hours=1)

    with lite.runtime.database.writing() as session:
        attempts.note_connected(session, connection, "An app", is_new=is_new, now=at)
    with lite.runtime.database.reading() as session:
        entry = session.exec(AUDIT_LOG).all()[-1]

    assert (entry.at, entry.actor, entry.address) == (at, "user", "")
    assert (entry.act, entry.subject) == (act, f"connection {connection.id} of An app")


def test_a_secret_of_any_characters_has_a_hash() -> None:
    assert len(attempts.hashed("a\udcffb")) == 64
