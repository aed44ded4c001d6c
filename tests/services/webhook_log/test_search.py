"""Several filters at once: complete where it can be, bounded and honest where not."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event as sa_event
from sqlalchemy import insert
from sqlmodel import Session

from dashboard.db import Database
from dashboard.models.ids import new_id, time_of
from dashboard.models.webhook import Mark, Outcome, Webhook
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services.paging import Place
from dashboard.services.webhook_log import log, search
from dashboard.services.webhook_log.search import EXAMINED, Count, WebhookFilter
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_webhook, a_zoom_app

MORE = EXAMINED + 5
YEAR_ONE, LAST_YEAR = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


@pytest.fixture
def apps(database: Database, vault: Vault) -> tuple[ZoomApp, ZoomApp]:
    made = a_zoom_app(vault), a_zoom_app(vault, kind=Kind.ACCOUNT_LEVEL)
    with database.writing() as session:
        session.add_all(made)
    return made


def store(database: Database, *rows: Any) -> None:
    with database.writing() as session:
        session.add_all(rows)


def store_many(database: Database, app: ZoomApp, number: int, **over: Any) -> None:
    """A second apart, from noon on; quicker than one by one."""
    rows = [
        a_webhook(app, received_at=NOON + timedelta(seconds=each), **over).model_dump()
        for each in range(number)
    ]
    with database.writing() as session:
        session.connection().execute(insert(Webhook), rows)


def find(database: Database, filters: WebhookFilter, **place: int) -> log.Page:
    with database.reading() as session:
        return log.page(session, filters=filters, place=Place(**place))


def ids(page: log.Page) -> list[int]:
    return [row.webhook.id for row in page.rows]


def a_little_of_everything(apps: tuple[ZoomApp, ZoomApp]) -> list[Webhook]:
    """Newest first."""
    return [
        a_webhook(
            apps[each % 2],
            received_at=NOON - timedelta(minutes=each),
            event=("meeting.created", "user.updated", "meeting.ended")[each % 3],
            outcome=(Outcome.DELIVERED, Outcome.DEAD)[each // 2 % 2],
            meeting_id=80000000000 + each % 5,
            zoom_user_id=f"user-{each % 7}",
            timing=(None, None, Mark.LATE, Mark.CLOCK)[each % 4],
            is_unreadable=each % 9 == 0,
        )
        for each in range(60)
    ]


@pytest.mark.parametrize(
    "wanted",
    [
        {"event": "user.updated"},
        {"outcome": Outcome.DEAD},
        {"outcome": Outcome.DELIVERED, "meeting_id": 80000000002},
        {"event": "user.updated", "zoom_user_id": "user-3"},
        {"event": "meeting.ended", "outcome": Outcome.DEAD, "meeting_id": 80000000001},
        {"event": "meeting.ended", "zoom_user_id": "nobody"},
        {"mark": Mark.LATE},
        {"mark": Mark.CLOCK, "event": "user.updated"},
        {"mark": Mark.UNREADABLE, "outcome": Outcome.DEAD},
    ],
    ids=str,
)
@pytest.mark.parametrize("of_app", [False, True], ids=["every app", "one app"])
def test_filters_together_list_what_each_would(
    database: Database,
    apps: tuple[ZoomApp, ZoomApp],
    wanted: Mapping[str, Any],
    *,
    of_app: bool,
) -> None:
    rows = a_little_of_everything(apps)
    store(database, *rows)
    fields = {**wanted, **({"zoom_app_id": apps[0].id} if of_app else {})}
    expected = [
        row.id
        for row in rows
        if all(
            value in row.marks if name == "mark" else getattr(row, name) == value
            for name, value in fields.items()
        )
    ]

    filters = WebhookFilter(**fields)
    first = find(database, filters, limit=2)
    second = find(database, filters, before=first.older_before or 0, limit=2)
    back = find(database, filters, after=(ids(second) or ids(first) or [0])[0], limit=2)
    with database.reading() as session:
        number = log.count(session, filters=filters)

    assert ids(first) == expected[:2]
    assert ids(second) == (expected[2:4] if first.older_before else [])
    assert set(ids(back)) <= set(expected[:2])
    assert number == Count(number=len(expected), is_whole=True)
    assert first.reached_at is None


def test_a_rare_condition_leads_to_rows_however_deep(
    database: Database, apps: tuple[ZoomApp, ZoomApp]
) -> None:
    rare = a_webhook(apps[0], received_at=NOON - timedelta(days=9), event="rare")
    store(database, rare)
    store_many(database, apps[0], MORE)

    found = find(database, WebhookFilter(zoom_app_id=apps[0].id, event="rare"))

    assert (ids(found), found.reached_at) == ([rare.id], None)


def test_dead_webhooks_of_one_app_are_found_among_many_of_another(
    database: Database, apps: tuple[ZoomApp, ZoomApp]
) -> None:
    mine = a_webhook(
        apps[0], received_at=NOON - timedelta(days=9), outcome=Outcome.DEAD
    )
    store(database, mine)
    store_many(database, apps[0], MORE)
    store_many(database, apps[1], MORE, outcome=Outcome.DEAD)

    filters = WebhookFilter(zoom_app_id=apps[0].id, outcome=Outcome.DEAD)
    found = find(database, filters)

    assert (ids(found), found.reached_at) == ([mine.id], None)


def test_a_search_that_stops_says_how_far_it_came_and_goes_on_from_there(
    database: Database, apps: tuple[ZoomApp, ZoomApp]
) -> None:
    deep = a_webhook(apps[0], received_at=NOON - timedelta(days=9), event="both")
    store(database, deep)
    store_many(database, apps[0], MORE)
    store_many(database, apps[1], MORE, event="both")
    filters = WebhookFilter(zoom_app_id=apps[0].id, event="both")

    first = find(database, filters)
    second = find(database, filters, before=first.older_before or 0)
    up = find(database, filters, after=deep.id)
    with database.reading() as session:
        number = log.count(session, filters=filters)

    assert ids(first) == []
    assert first.reached_at == NOON + timedelta(seconds=MORE - EXAMINED)
    assert ids(second) == [deep.id]
    assert (ids(up), up.newer_after is None) == ([], False)
    assert number == Count(number=0, is_whole=False)
    assert [row.webhook.id for row in log.iterate_all(database, filters=filters)] == [
        deep.id
    ]


def test_everything_is_listed_once_across_batches(
    database: Database, apps: tuple[ZoomApp, ZoomApp]
) -> None:
    store_many(database, apps[0], 1100)

    found = list(log.iterate_all(database, filters=WebhookFilter()))

    listed = [row.webhook.id for row in found]
    assert listed == sorted(set(listed), reverse=True)
    assert len(listed) == 1100


def test_a_connection_finds_its_user_in_its_own_app(
    database: Database, apps: tuple[ZoomApp, ZoomApp]
) -> None:
    ana = a_connection(apps[0], zoom_user_id="ana")
    mine = a_webhook(apps[0], zoom_user_id="ana")
    others = a_webhook(apps[1], zoom_user_id="ana"), a_webhook(apps[0])
    store(database, ana, mine, *others)

    assert ids(find(database, WebhookFilter(connection_id=ana.id))) == [mine.id]


def test_a_connection_of_an_account_finds_all_its_users(
    database: Database, apps: tuple[ZoomApp, ZoomApp]
) -> None:
    company = a_connection(apps[1], zoom_user_id="admin", zoom_account_id="company")
    mine = a_webhook(apps[1], zoom_user_id="bo", zoom_account_id="company")
    others = (
        a_webhook(apps[1], zoom_user_id="bo", zoom_account_id="else"),
        a_webhook(apps[0], zoom_user_id="bo", zoom_account_id="company"),
    )
    store(database, company, mine, *others)

    assert ids(find(database, WebhookFilter(connection_id=company.id))) == [mine.id]


def test_a_connection_that_is_gone_or_of_another_app_finds_nothing(
    database: Database, apps: tuple[ZoomApp, ZoomApp]
) -> None:
    ana = a_connection(apps[0], zoom_user_id="ana")
    unseen = a_connection(apps[0], zoom_user_id=None)
    store(database, ana, unseen, a_webhook(apps[0], zoom_user_id="ana"))

    gone = WebhookFilter(connection_id=apps[0].id)
    of_other = WebhookFilter(connection_id=ana.id, zoom_app_id=apps[1].id)
    without_user = WebhookFilter(connection_id=unseen.id)

    for filters in (gone, of_other, without_user):
        assert ids(find(database, filters)) == []


@pytest.mark.parametrize("at", [YEAR_ONE, LAST_YEAR], ids=["year 1", "year 9999"])
def test_times_beyond_every_id_are_no_trouble(
    database: Database, apps: tuple[ZoomApp, ZoomApp], at: datetime
) -> None:
    store(database, a_webhook(apps[0]))

    since = find(database, WebhookFilter(since=at))
    until = find(database, WebhookFilter(until=at, event="meeting.created"))

    assert [len(since.rows), len(until.rows)].count(1) == 1


@contextmanager
def statements(session: Session) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def note(*args: Any) -> None:
        seen.append((args[2], args[3]))

    bind = session.get_bind()
    sa_event.listen(bind, "before_cursor_execute", note)
    yield seen
    sa_event.remove(bind, "before_cursor_execute", note)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"zoom_app_id": "its"},
        {"event": "user.updated"},
        {"outcome": Outcome.DELIVERED},
        {"meeting_id": 80000000001},
        {"zoom_user_id": "user-1"},
        {"since": NOON - timedelta(hours=1), "until": NOON},
        {"zoom_app_id": "its", "outcome": Outcome.DEAD},
        {"zoom_app_id": "its", "event": "user.updated", "outcome": Outcome.DELIVERED},
    ],
    ids=str,
)
def test_no_look_reads_the_whole_log(
    sqlite: Database, vault: Vault, fields: dict[str, Any]
) -> None:
    app = a_zoom_app(vault)
    store(sqlite, app)
    its = {"zoom_app_id": app.id} if "zoom_app_id" in fields else {}
    filters = WebhookFilter(**{**fields, **its})

    with sqlite.reading() as session, statements(session) as seen:
        log.page(session, filters=filters, place=Place(before=new_id(NOON)))
        log.count(session, filters=filters)
        log.count_newer(session, filters=filters, than=1)
        search.event_names(session)
    plans = [
        str(row[3])
        for text, values in list(seen)
        for row in explained(sqlite, text, values)
    ]

    assert [plan for plan in plans if plan == "SCAN webhook"] == []
    assert any(plan.startswith("SEARCH webhook") for plan in plans)


def explained(database: Database, text: str, values: Any) -> list[Any]:
    with database.reading() as session:
        query = f"EXPLAIN QUERY PLAN {text}"
        return list(session.connection().exec_driver_sql(query, values))


def test_an_id_tells_when_it_was_made() -> None:
    at = NOON + timedelta(milliseconds=7)

    assert time_of(new_id(at)) == at
