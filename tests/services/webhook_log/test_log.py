"""The log: pages by key, filters, one webhook with its story."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from dashboard.db import Database
from dashboard.errors import NotFoundError
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.connection import MeetingMapping
from dashboard.models.ids import new_id
from dashboard.models.resend import Redelivery, Resend
from dashboard.models.webhook import (
    Arrival,
    Attempt,
    Outcome,
    Webhook,
)
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.paging import Place
from dashboard.services.webhook_log import log, search
from dashboard.services.webhook_log.search import Count, WebhookFilter
from dashboard.vault import Vault
from tests.makers import (
    NOON,
    a_body,
    a_connection,
    a_webhook,
    a_workspace,
    a_zoom_app,
)

ANY = WebhookFilter()


@pytest.fixture
def zoom_app(database: Database, vault: Vault) -> ZoomApp:
    with database.writing() as session:
        app = a_zoom_app(vault)
        session.add(app)
    return app


def store(database: Database, *rows: object) -> None:
    with database.writing() as session:
        for row in rows:
            session.add(row)
            session.flush()


def some(app: ZoomApp, number: int, **over: Any) -> list[Webhook]:
    """Oldest first, a second apart."""
    return [
        a_webhook(app, received_at=NOON + timedelta(seconds=each), **over)
        for each in range(number)
    ]


def ids(page: log.Page) -> list[int]:
    return [row.webhook.id for row in page.rows]


def test_turning_pages_down_and_up_shows_each_webhook_once_in_order(
    database: Database, zoom_app: ZoomApp
) -> None:
    rows = some(zoom_app, 7)
    store(database, *rows)
    newest_first = [row.id for row in reversed(rows)]

    with database.reading() as session:
        first = log.page(session, filters=ANY, place=Place(limit=3))
        second = log.page(
            session, filters=ANY, place=Place(before=first.older_before, limit=3)
        )
        last = log.page(
            session, filters=ANY, place=Place(before=second.older_before, limit=3)
        )
        up = log.page(
            session, filters=ANY, place=Place(after=last.newer_after, limit=3)
        )

    assert ids(first) + ids(second) + ids(last) == newest_first
    assert (first.newer_after, last.older_before) == (None, None)
    assert ids(up) == ids(second)


def test_new_webhooks_never_shift_an_older_page(
    database: Database, zoom_app: ZoomApp
) -> None:
    store(database, *some(zoom_app, 4))
    with database.reading() as session:
        first = log.page(session, filters=ANY, place=Place(limit=2))
        place = Place(before=first.older_before, limit=2)
        before = log.page(session, filters=ANY, place=place)

    store(database, a_webhook(zoom_app, received_at=NOON + timedelta(hours=1)))

    with database.reading() as session:
        assert ids(log.page(session, filters=ANY, place=place)) == ids(before)


@pytest.mark.parametrize(
    ("filters", "over"),
    [
        (WebhookFilter(event="user.updated"), {"event": "user.updated"}),
        (WebhookFilter(outcome=Outcome.DEAD), {"outcome": Outcome.DEAD}),
        (WebhookFilter(meeting_id=85555555555), {"meeting_id": 85555555555}),
        (WebhookFilter(zoom_user_id="somebody"), {"zoom_user_id": "somebody"}),
        (
            WebhookFilter(since=NOON + timedelta(hours=1)),
            {"received_at": NOON + timedelta(hours=1)},
        ),
        (
            WebhookFilter(until=NOON),
            {"received_at": NOON - timedelta(milliseconds=1)},
        ),
    ],
    ids=["event", "outcome", "meeting", "user", "since", "until"],
)
def test_a_filter_lists_only_what_fits(
    database: Database,
    zoom_app: ZoomApp,
    filters: WebhookFilter,
    over: dict[str, object],
) -> None:
    wanted = a_webhook(zoom_app, **over)
    store(database, *some(zoom_app, 2), wanted)

    with database.reading() as session:
        found = log.page(session, filters=filters, place=Place())
        number = log.count(session, filters=filters).number

    assert (ids(found), number) == ([wanted.id], 1)


def test_another_apps_webhooks_are_left_out(
    database: Database, vault: Vault, zoom_app: ZoomApp
) -> None:
    other = a_zoom_app(vault)
    store(database, other, a_webhook(zoom_app), a_webhook(other))

    with database.reading() as session:
        filters = WebhookFilter(zoom_app_id=other.id)
        found = log.page(session, filters=filters, place=Place())

    assert [row.webhook.zoom_app_id for row in found.rows] == [other.id]


def test_counts_stop_at_a_hundred_and_one(
    database: Database, zoom_app: ZoomApp
) -> None:
    rows = [a_webhook(zoom_app) for _ in range(log.COUNTED + 5)]
    store(database, *rows)

    with database.reading() as session:
        found = log.count(session, filters=ANY)
        oldest = min(row.id for row in rows)
        newer = log.count_newer(session, filters=ANY, than=oldest)

    assert found == newer == Count(number=log.COUNTED + 1, is_whole=False)


def test_each_event_that_was_seen_is_offered_once(
    database: Database, zoom_app: ZoomApp
) -> None:
    store(
        database,
        *some(zoom_app, 2),
        a_webhook(zoom_app, event="user.updated"),
        a_webhook(zoom_app, event="app_deauthorized"),
    )

    with database.reading() as session:
        assert search.event_names(session) == [
            "app_deauthorized",
            "meeting.created",
            "user.updated",
        ]


def test_a_row_names_the_person_of_its_own_app(
    database: Database, vault: Vault, zoom_app: ZoomApp
) -> None:
    other = a_zoom_app(vault)
    mine = a_webhook(zoom_app, zoom_user_id="ana")
    theirs = a_webhook(other, zoom_user_id="ana")
    person = a_connection(zoom_app, zoom_user_id="ana", display_name="Ana Nowak")
    store(database, other, person, mine, theirs)

    with database.reading() as session:
        found = log.page(session, filters=ANY, place=Place())

    who = {row.webhook.id: row.who for row in found.rows}
    assert who == {mine.id: "Ana Nowak", theirs.id: ""}


def test_a_trace_holds_attempts_repeats_and_whom_it_is_about(
    database: Database, zoom_app: ZoomApp
) -> None:
    webhook = a_webhook(zoom_app, zoom_user_id=None)
    person = a_connection(zoom_app)
    store(
        database,
        webhook,
        person,
        MeetingMapping(
            id=new_id(NOON),
            connection_id=person.id,
            meeting_id=webhook.meeting_id or 0,
            synced_at=NOON,
            seen_at=NOON,
        ),
        Arrival(id=new_id(NOON), webhook_id=webhook.id, sent_at_s=1, received_at=NOON),
        *(
            Attempt(
                id=new_id(NOON),
                webhook_id=webhook.id,
                started_at=NOON,
                latency_ms=5,
                sent_sha256="0" * 64,
            )
            for _ in range(2)
        ),
    )

    with database.reading() as session:
        trace = log.get(session, webhook.id)

    assert len(trace.attempts) == 2
    assert len(trace.repeats) == 1
    assert trace.connection is not None
    assert (trace.connection.id, trace.is_mapped) == (person.id, True)


def test_a_trace_holds_its_resends_and_what_holds_it(
    database: Database, vault: Vault, zoom_app: ZoomApp
) -> None:
    webhook = a_webhook(zoom_app)
    workspace = a_workspace(vault)
    store(database, workspace, webhook)
    resend = Resend(id=new_id(NOON), asked_by="ana@example.com", asked_at=NOON)
    redelivery = Redelivery(
        id=new_id(NOON),
        resend_id=resend.id,
        webhook_id=webhook.id,
        zoom_app_id=zoom_app.id,
        due_at=NOON,
    )
    with database.writing() as session:
        session.get_one(ZoomApp, zoom_app.id).workspace_id = workspace.id
    holds = [
        OpenCircuit(
            id=held, kind=kind, is_holding=is_holding, since=NOON, probe_at=NOON
        )
        for held, kind, is_holding in (
            (zoom_app.id, CircuitKind.ZOOM_APP, False),
            (workspace.id, CircuitKind.WORKSPACE, True),
            (uuid4(), CircuitKind.WORKSPACE, True),
        )
    ]
    store(database, resend, redelivery, *holds)

    with database.reading() as session:
        trace = log.get(session, webhook.id)

    assert [hold.id for hold in trace.open_circuits] == [workspace.id]
    assert [each.resend.asked_by for each in trace.resends] == ["ana@example.com"]


def test_the_request_is_given_back_byte_for_byte(
    database: Database, vault: Vault, zoom_app: ZoomApp
) -> None:
    webhook = a_webhook(zoom_app)
    body = b'{"a":  1,\n"b":"\xc3\xa9"}'
    stored = a_body(vault, webhook, body=body, headers=b'[["x-a", "1"], ["x-a", "2"]]')
    store(database, webhook, stored)

    with database.reading() as session:
        request = log.request(session, vault, webhook.id)

    assert request.body == body
    assert request.headers == [("x-a", "1"), ("x-a", "2")]


def test_what_is_not_there_is_said_so(database: Database, vault: Vault) -> None:
    with database.reading() as session:
        with pytest.raises(NotFoundError):
            log.get(session, 1)
        with pytest.raises(NotFoundError):
            log.request(session, vault, 1)
