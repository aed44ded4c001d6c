"""The list of connect attempts, and what it says when everybody is lost there."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from dashboard.db import Database
from dashboard.models.connection import AttemptOutcome, ConnectAttempt
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connect import attempt_list, lost_attempts
from dashboard.services.connect.attempt_list import TOLD, Filters
from dashboard.vault import Vault
from tests.makers import NOON, saved_app

LOST, WENT, AWAY = (
    AttemptOutcome.ABANDONED,
    AttemptOutcome.CONNECTED,
    AttemptOutcome.OPEN,
)
BEGUN = AttemptOutcome.BEGUN_AT_ZOOM


def add(
    database: Database, app_id: UUID, *outcomes: AttemptOutcome, minutes: float = 10
) -> None:
    """Add connect attempts, the newest first in the list."""
    with database.writing() as session:
        for place, outcome in enumerate(outcomes):
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
            page = attempt_list.page(session, Filters(), cursor=cursor)
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
        lost = attempt_list.page(session, Filters(outcome=LOST), cursor=None).rows
        of_one = attempt_list.page(
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
        lost = lost_attempts.find(session, app, now=NOON)
        later = lost_attempts.find(session, app, now=NOON + timedelta(days=2))

    assert (lost and lost.number) == number
    assert later is None


def test_every_outcome_has_its_words() -> None:
    assert set(TOLD) == set(AttemptOutcome)
