"""First sightings are stored once, outlive what proved them, and cost little."""

import threading
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event
from sqlmodel import func, select

from dashboard.app import chores
from dashboard.db import Database
from dashboard.models.audit import AuditEntry
from dashboard.models.connection import Connection
from dashboard.models.watch import Milestone
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services.audit import Actor
from dashboard.services.retention.pruning import Pruner
from dashboard.services.runtime import Runtime
from dashboard.services.setup import checklist, first_seen
from dashboard.services.setup.steps import StepKey
from tests.fixtures.setup import an_app, by_key, kept, look, save_everything
from tests.makers import NOON, FakeClock, a_connection, a_webhook

RELAY = {key for key in StepKey if key is not StepKey.ZOOM_VALIDATED}
THREADS = 4


@pytest.fixture
def on(runtime: Runtime, database: Database) -> Runtime:
    """Give the services on each database in turn."""
    return runtime if database.is_sqlite else replace(runtime, database=database)


def test_what_is_seen_is_stored_once(on: Runtime) -> None:
    app_id = save_everything(on)

    counts = [checklist.record_new(on), checklist.record_new(on)]

    # The scopes were stored by the look that proved them.
    assert counts == [9, 0]
    assert kept(on, app_id).keys() == RELAY


def test_the_page_needs_no_storing(on: Runtime) -> None:
    app_id = save_everything(on)

    live = look(on, app_id)
    checklist.record_new(on)

    assert live.is_complete
    assert look(on, app_id) == live


def test_ticks_outlive_the_webhooks_that_made_them(
    on: Runtime, clock: FakeClock
) -> None:
    app_id = save_everything(on)
    checklist.record_new(on)
    before = look(on, app_id)
    clock.advance(days=31)
    pruner = Pruner(on)

    while pruner():
        pass

    with on.database.reading() as session:
        assert session.exec(select(func.count()).select_from(Webhook)).one() == 0
    after = look(on, app_id)
    assert after.words == before.words == "10 of 10 complete"
    assert [each.proof for each in after.steps] == [each.proof for each in before.steps]


def test_ticks_outlive_the_user_but_not_the_users_name(on: Runtime) -> None:
    app_id = save_everything(on)
    checklist.record_new(on)
    with on.database.writing() as session:
        session.delete(session.exec(select(Connection)).one())

    found = look(on, app_id)

    assert found.is_complete
    assert not any("Ana" in step.proof for step in found.steps)
    with on.database.reading() as session:
        assert not any("Ana" in one.proof for one in session.exec(select(Milestone)))


def test_a_first_time_is_never_moved(on: Runtime, clock: FakeClock) -> None:
    app_id = save_everything(on)
    checklist.record_new(on)
    clock.advance(days=1)
    with on.database.writing() as session:
        app = session.get_one(ZoomApp, app_id)
        app.checked_at = clock.now()
        session.add(app)
        again = first_seen.milestone(
            app_id, StepKey.EVENT, at=clock.now(), proof="Another."
        )
        assert checklist.store(session, [again]) == 0

    checklist.record_new(on)

    assert kept(on, app_id)[StepKey.PAIR].at == NOON
    assert kept(on, app_id)[StepKey.EVENT].at == NOON


def test_two_workers_at_once_store_each_once(on: Runtime) -> None:
    app_id = save_everything(on)
    together = threading.Barrier(THREADS)
    counts: list[int] = []

    def work() -> None:
        together.wait()
        counts.append(checklist.record_new(on))

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert (len(counts), sum(counts)) == (THREADS, 9)
    assert kept(on, app_id).keys() == RELAY


@pytest.mark.parametrize("over", [{}, {"retired_at": NOON}], ids=["all", "retired"])
def test_where_nothing_is_missing_it_is_one_look(
    runtime: Runtime, over: dict[str, object]
) -> None:
    if over:
        with runtime.database.writing() as session:
            session.add(an_app(runtime.vault, **over))
    else:
        save_everything(runtime)
        checklist.record_new(runtime)
    asked: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    with runtime.database.reading() as session:
        engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", hear)
    checklist.record_new(runtime)

    assert len(asked) == 1


def test_with_direct_routing_nothing_is_waited_for_that_cannot_come(
    on: Runtime,
) -> None:
    app_id = save_everything(on, routing=Routing.DIRECT)
    with on.database.writing() as session:
        session.add(a_told(app_id))

    checklist.record_new(on)

    assert look(on, app_id).words == "8 of 8 complete"
    assert StepKey.DELIVERY not in kept(on, app_id)


def test_an_admins_word_about_the_events_is_kept_once_and_proves_nothing(
    on: Runtime, clock: FakeClock
) -> None:
    app = an_app(on.vault, routing=Routing.DIRECT)
    with on.database.writing() as session:
        session.add(app)
    said_at = clock.now()
    for name in ("admin@example.com", "other@example.com"):
        actor, now = Actor(name=name), clock.now()
        checklist.say_events_added(on.database, app.id, actor=actor, now=now)
        clock.advance(hours=1)
    checklist.record_new(on)

    event = by_key(look(on, app.id))[StepKey.EVENT]

    assert (event.is_done, event.said_at) == (False, said_at)
    assert StepKey.EVENT not in kept(on, app.id)
    with on.database.reading() as session:
        (entry,) = session.exec(select(AuditEntry)).all()
    assert (entry.act, entry.actor) == ("zoom_app.events_said", "admin@example.com")


def test_an_event_that_recall_refuses_is_known_behind_a_subscription_by_api(
    on: Runtime,
) -> None:
    app = an_app(on.vault, subscription_state="matches", subscription_checked_at=NOON)
    with on.database.writing() as session:
        session.add(app)
    checklist.record_new(on)
    before = by_key(look(on, app.id))[StepKey.DELIVERY]
    with on.database.writing() as session:
        session.add(a_webhook(app))

    after = by_key(look(on, app.id))[StepKey.DELIVERY]

    assert kept(on, app.id)[StepKey.EVENT].webhook_id is None
    assert not before.remark
    assert after.remark == "Events received, but none delivered to Recall yet."


def a_told(app_id: UUID) -> Milestone:
    return Milestone(
        zoom_app_id=app_id,
        key=StepKey.ZOOM_VALIDATED.value,
        at=NOON,
        proof="Recall's API says so.",
    )


def test_a_change_of_routing_asks_for_what_is_seen_with_the_other(
    on: Runtime,
) -> None:
    app_id = save_everything(on)
    checklist.record_new(on)
    with on.database.writing() as session:
        app = session.get_one(ZoomApp, app_id)
        app.routing = Routing.DIRECT
        session.add(app)

    found = look(on, app_id)

    assert found.words == "7 of 8 complete"
    assert found.next is not None
    assert found.next.key is StepKey.ZOOM_VALIDATED


def test_an_event_turns_its_tick_before_anything_is_stored(
    on: Runtime, clock: FakeClock
) -> None:
    app = an_app(on.vault)
    with on.database.writing() as session:
        session.add(app)
    assert by_key(look(on, app.id))[StepKey.EVENT].at is None
    with on.database.writing() as session:
        session.add(a_webhook(app, received_at=clock.now() + timedelta(seconds=1)))

    assert by_key(look(on, app.id))[StepKey.EVENT].is_done
    assert kept(on, app.id) == {}


def test_the_user_to_go_on_with_is_one_who_is_still_here(on: Runtime) -> None:
    app = an_app(on.vault)
    first, second = a_connection(app), a_connection(app, display_name="Ben Okafor")
    with on.database.writing() as session:
        session.add(app)
        session.flush()
        session.add(first)
        session.flush()
    checklist.record_new(on)
    with on.database.writing() as session:
        session.add(second)
        session.delete(session.get_one(Connection, first.id))

    steps = by_key(look(on, app.id))

    assert steps[StepKey.USER].is_done
    assert "as Ben Okafor" in steps[StepKey.EVENT].next


def test_it_is_among_the_workers_chores(runtime: Runtime) -> None:
    app_id = save_everything(runtime)

    for chore in chores(runtime):
        chore()

    assert kept(runtime, app_id).keys() == RELAY


def test_keys_of_a_later_version_are_passed_over(runtime: Runtime) -> None:
    app_id = save_everything(runtime)
    with runtime.database.writing() as session:
        session.add(
            Milestone(zoom_app_id=app_id, key="of_later", at=NOON, proof="Seen.")
        )

    assert look(runtime, app_id).is_complete
