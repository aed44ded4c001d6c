"""Events are recorded with their change, and published in one order."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select, text

from dashboard.db import Database
from dashboard.models.connection import Connection, TokenCause, TokenState
from dashboard.models.event import Event
from dashboard.models.invitation import Invitation, InvitationState
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import events
from dashboard.services.connections.recording import note_pmi
from dashboard.services.endpoints import changes
from dashboard.services.events import outbox
from dashboard.services.invitations import invitations
from dashboard.services.retention import pruning
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, saved_app

changes.watch()


@pytest.fixture
def app_id(database: Database, vault: Vault) -> UUID:
    with database.writing() as session:
        return saved_app(session, vault)


def say(database: Database, **over: object) -> int:
    values = {"connection_id": uuid4(), "zoom_app_id": uuid4()} | over
    with database.writing() as session:
        said = events.ConnectionErased.model_validate(values)
        return events.record(session, said, at=NOON)


def publish(database: Database) -> list[int]:
    with database.writing() as session:
        return [each.id for each in events.publish(session, now=NOON)]


def kinds(database: Database) -> list[str]:
    with database.reading() as session:
        query = select(Event.kind).order_by(col(Event.id))
        return list(session.exec(query))


def test_an_event_is_there_with_its_change_or_not_at_all(
    database: Database, app_id: UUID
) -> None:
    class StoppedError(Exception):
        pass

    def fails() -> None:
        with database.writing() as session:
            app = session.get_one(ZoomApp, app_id)
            session.add(a_connection(app))
            session.flush()
            raise StoppedError

    with pytest.raises(StoppedError):
        fails()
    assert kinds(database) == []


def test_a_reader_of_the_feed_misses_nothing_that_is_committed_late(
    database: Database,
) -> None:
    first, second = say(database), say(database)
    assert first < second
    with database.writing() as session:  # the first one commits later
        early = session.get_one(Event, first)
        values = early.model_dump()
        session.delete(early)
    assert publish(database) == [second]
    with database.reading() as session:
        seen = events.page(session)
    assert [each.id for each in seen] == [second]
    with database.writing() as session:
        session.add(Event(**values))
    publish(database)

    with database.reading() as session:
        later = events.page(session, after=seen[-1].number or 0)
    assert [each.id for each in later] == [first]


def test_the_feed_is_read_page_by_page_and_by_kind_and_app(
    database: Database, app_id: UUID
) -> None:
    said = [say(database, zoom_app_id=app_id) for _ in range(5)]
    other = say(database)
    publish(database)
    with database.reading() as session:
        found, after = [], 0
        while page := events.page(session, after=after, limit=2):
            found += [each.id for each in page]
            after = page[-1].number or 0
        assert sorted(found) == sorted([*said, other])
        ours = events.page(session, zoom_app_ids={app_id})
        assert {each.id for each in ours} == set(said)
        assert events.page(session, kinds=["webhook.dead"]) == []


def test_places_rise_though_everything_before_was_deleted(database: Database) -> None:
    say(database)
    publish(database)
    with database.writing() as session:
        last = session.exec(select(Event.number)).one() or 0
        session.exec(text("DELETE FROM event"))  # type: ignore[call-overload]
    say(database)
    with database.writing() as session:
        (event,) = events.publish(session, now=NOON + timedelta(seconds=1))
        assert event.number is not None
        assert event.number > last


def test_a_new_connection_is_said_with_the_connection(
    database: Database, app_id: UUID
) -> None:
    with database.writing() as session:
        app = session.get_one(ZoomApp, app_id)
        row = a_connection(app, token_state=TokenState.UNKNOWN)
        session.add(row)
    assert kinds(database) == ["connection.created"]


@pytest.fixture
def connection_id(database: Database, app_id: UUID) -> UUID:
    with database.writing() as session:
        app = session.get_one(ZoomApp, app_id)
        row = a_connection(app, token_state=TokenState.HEALTHY)
        session.add(row)
        session.flush()
        session.exec(text("DELETE FROM event"))  # type: ignore[call-overload]
        return row.id


def see(
    database: Database,
    connection_id: UUID,
    state: TokenState,
    cause: TokenCause = TokenCause.NONE,
) -> None:
    with database.writing() as session:
        row = session.get_one(Connection, connection_id)
        row.note_state(state, "It is so.", evidence="seen", at=NOON, cause=cause)
        session.add(row)


def test_what_the_user_must_do_is_said_once_and_so_is_that_it_works_again(
    database: Database, connection_id: UUID
) -> None:
    for state in (
        TokenState.RECONNECT_NEEDED,
        TokenState.UNKNOWN,
        TokenState.RECONNECT_NEEDED,
        TokenState.MISSING_SCOPES,
        TokenState.UNKNOWN,
        TokenState.HEALTHY,
        TokenState.EXPIRING,
        TokenState.HEALTHY,
    ):
        see(database, connection_id, state)
    assert kinds(database) == ["connection.needs_reconnect", "connection.recovered"]


def test_what_an_admin_must_fix_is_no_users_matter(
    database: Database, connection_id: UUID
) -> None:
    see(database, connection_id, TokenState.UNKNOWN, TokenCause.PAIR_REFUSED)
    see(database, connection_id, TokenState.UNHEALTHY_IN_RECALL)
    assert kinds(database) == []
    see(
        database,
        connection_id,
        TokenState.UNHEALTHY_IN_RECALL,
        TokenCause.NOT_THE_APP,
    )
    assert kinds(database) == ["connection.needs_reconnect"]


def test_a_changed_pmi_is_said_and_a_first_one_is_not(
    database: Database, connection_id: UUID
) -> None:
    for number, pmi in enumerate((None, 1234567890, 1234567890, 2345678901)):
        with database.writing() as session:
            row = session.get_one(Connection, connection_id)
            at = NOON + timedelta(minutes=number)
            if number == 0:
                row.pmi = None
            else:
                note_pmi(row, pmi, at=at, by="test")
            session.add(row)
    assert kinds(database) == ["connection.pmi_changed"]


def test_a_links_way_is_said(database: Database, app_id: UUID) -> None:
    with database.writing() as session:
        row = Invitation(
            zoom_app_id=app_id,
            token_hash="a" * 64,
            user_ref="user-7",
            created_at=NOON,
            expires_at=NOON + timedelta(days=1),
        )
        session.add(row)
        session.flush()
        for _ in range(2):  # only the first press counts
            invitations.opened(session, row.id, now=NOON)
    for _ in range(2):
        with database.writing() as session:
            invitations.expire(session, now=NOON + timedelta(days=2))
    assert kinds(database) == ["invitation.opened", "invitation.expired"]
    with database.reading() as session:
        assert session.get_one(Invitation, row.id).state is InvitationState.EXPIRED
        (opened, _) = session.exec(select(Event).order_by(col(Event.id))).all()
    assert b'"reference":"user-7"' in outbox.message(opened)


def test_the_customers_words_are_forgotten_with_the_user(database: Database) -> None:
    connection_id = uuid4()
    with database.writing() as session:
        said = events.ConnectionCreated(
            connection_id=connection_id, zoom_app_id=uuid4()
        )
        words = {"reference": "user-7", "tags": ["a"]}
        events.record(session, said, at=NOON, references=words)
        session.flush()
        events.forget(session, connection_id)
    with database.reading() as session:
        (row,) = session.exec(select(Event)).all()
    assert b"user-7" not in outbox.message(row)


def test_old_events_are_deleted_by_a_retention_of_their_own(
    database: Database,
) -> None:
    say(database)
    for days, left in ((3, 1), (1, 0)):
        now = NOON + timedelta(days=2)
        for _ in pruning.prune(database, now=now, days=30, event_days=days):
            pass
        assert len(kinds(database)) == left
