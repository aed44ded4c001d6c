"""An email that a user had before is kept, whoever reports the change, and found."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from dashboard.db import Database
from dashboard.models.connection import AccountMember, Connection, FormerEmail
from dashboard.models.zoom_app import Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import former_emails
from dashboard.services.connections import check, listing
from dashboard.services.connections.listing import Filters
from dashboard.services.explain import explain
from dashboard.services.explain.explain import Answer
from dashboard.services.former_emails import Change
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import events
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.exchange_here import a_holding_stage
from tests.fixtures.sweep_events import tell
from tests.makers import FakeClock, a_webhook

OLD, NEW = "ana@example.com", "ana.lis@example.org"


def kept(stage: ConnectStage) -> list[tuple[str, str]]:
    """Give email and user of all that are kept, newest first."""
    with stage.runtime.database.reading() as session:
        found = session.exec(select(FormerEmail)).all()
    found = sorted(found, key=lambda one: one.until, reverse=True)
    return [(one.email, one.zoom_user_id) for one in found]


def told(stage: ConnectStage, payload: dict[str, Any], **over: Any) -> None:
    about = {"zoom_user_id": stage.ana.id, **over}
    tell(stage, "user.updated", stage.runtime.clock.now(), payload, **about)
    events.read_some(stage.runtime)


def asked(stage: ConnectStage, text: str) -> Answer:
    runtime = stage.runtime
    with runtime.database.reading() as session:
        now = runtime.clock.now()
        return explain.explain(session, runtime.vault, text, now=now)


def moved(stage: ConnectStage, clock: FakeClock, email: str = NEW) -> None:
    """Zoom has another email of Ana from now on, and says nothing."""
    clock.advance(hours=1)
    stage.sandbox.clock.set(clock.now())
    stage.sandbox.zoom_world.change_user(stage.ana.id, email=email)


def by_check(stage: ConnectStage, clock: FakeClock) -> None:
    row = stage.connect()
    moved(stage, clock)
    check.now(stage.runtime, row.id)


def by_webhook(stage: ConnectStage, clock: FakeClock) -> None:
    stage.connect()
    clock.advance(hours=1)
    told(stage, {"object": {"email": NEW.upper()}})


def by_the_old_object(stage: ConnectStage, clock: FakeClock) -> None:
    stage.sandbox.zoom_world.change_user(stage.ana.id, email=NEW)
    stage.connect()
    clock.advance(hours=1)
    told(stage, {"object": {"email": NEW}, "old_object": {"email": OLD.title()}})


def by_reconnecting(stage: ConnectStage, clock: FakeClock) -> None:
    stage.connect()
    moved(stage, clock)
    stage.connect()


@pytest.mark.parametrize(
    "change", [by_check, by_webhook, by_the_old_object, by_reconnecting]
)
def test_who_had_an_email_before_is_found_by_it(
    stage: ConnectStage, clock: FakeClock, change: Any
) -> None:
    change(stage, clock)
    at = clock.now()
    clock.advance(minutes=20)

    with stage.runtime.database.reading() as session:
        filters = Filters(search=OLD.upper())
        rows = listing.page(session, filters, limit=10).rows
        once = listing.once_called(session, rows, filters.search)
    said = asked(stage, OLD)

    assert kept(stage) == [(OLD, "")]
    assert [row.email for row in rows] == [NEW]
    assert once[rows[0].id].until == at
    assert said.connection_id == rows[0].id
    assert said.verdict.sentence.startswith(
        f"{OLD} was the email of Ana Nowak until 20 minutes ago "
    )
    assert f"It is {NEW} now." in said.verdict.sentence


def test_a_grant_stored_here_keeps_it_too(
    runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock
) -> None:
    with a_holding_stage(runtime, sandbox) as stage:
        by_reconnecting(stage, clock)
        assert kept(stage) == [(OLD, "")]


def test_it_is_found_beside_a_meeting_as_well(
    stage: ConnectStage, clock: FakeClock
) -> None:
    by_check(stage, clock)
    with stage.runtime.database.writing() as session:
        session.add(a_webhook(stage.app, zoom_user_id="other", meeting_id=91234567890))

    found = asked(stage, f"{OLD} 912 3456 7890")
    alone = asked(stage, f"{OLD} 913 9998 8877")

    assert found.verdict.id == "other-account"
    assert found.verdict.sentence.startswith(f"{OLD} was the email of Ana Nowak until")
    assert "hasn't connected" not in alone.verdict.sentence


def test_an_email_that_is_in_use_is_the_one_who_uses_it(
    stage: ConnectStage, clock: FakeClock
) -> None:
    by_check(stage, clock)
    ben = stage.sandbox.zoom_world.add_user(email=OLD, first_name="Ben")
    row = stage.connect(ben)

    assert asked(stage, OLD).connection_id == row.id
    assert "was the email" not in asked(stage, OLD).verdict.sentence


def test_what_is_current_again_is_no_former_one(
    stage: ConnectStage, clock: FakeClock
) -> None:
    by_check(stage, clock)
    moved(stage, clock, OLD)
    with stage.runtime.database.reading() as session:
        row = session.exec(select(Connection)).one()
    check.now(stage.runtime, row.id)

    assert kept(stage) == [(NEW, "")]


def test_an_event_that_came_late_names_a_former_email(
    stage: ConnectStage, clock: FakeClock
) -> None:
    by_check(stage, clock)
    event = {"object": {"email": "between@example.com"}}
    at = clock.now() - timedelta(minutes=30)
    tell(stage, "user.updated", at, event, zoom_user_id=stage.ana.id)
    events.read_some(stage.runtime)

    with stage.runtime.database.reading() as session:
        row = session.exec(select(Connection)).one()
    assert row.email == NEW
    assert kept(stage) == [(OLD, ""), ("between@example.com", "")]


def test_the_newest_few_of_each_are_kept(lite: ConnectStage, clock: FakeClock) -> None:
    row = lite.connect()
    with lite.runtime.database.writing() as session:
        for number in range(former_emails.MOST + 3):
            at = clock.now() + timedelta(minutes=number)
            changes = [
                Change(former=f"{number}@x.example", current=NEW, zoom_user_id=user)
                for user in ("", "other")
            ]
            former_emails.keep(session, row.id, changes, at=at)

    found = kept(lite)
    assert len(found) == 2 * former_emails.MOST
    assert found[0][0] == f"{former_emails.MOST + 2}@x.example"


@pytest.mark.parametrize("way", ["list", "webhook"])
def test_users_of_a_connected_account_have_theirs(
    runtime: Runtime,
    sandbox: RunningSandbox,
    database: Database,
    clock: FakeClock,
    way: str,
) -> None:
    stage = a_connect_stage(
        runtime, sandbox, database=database, kind=Kind.ACCOUNT_LEVEL
    )
    ben = sandbox.zoom_world.add_user(email="ben@example.com", first_name="Ben")
    row = stage.connect()
    check.now(stage.runtime, row.id, is_thorough=True)
    clock.advance(hours=2)
    sandbox.clock.set(clock.now())
    sandbox.zoom_world.change_user(ben.id, email="ben.new@example.com")
    if way == "list":
        check.now(stage.runtime, row.id, is_thorough=True)
    else:
        account = {"zoom_user_id": ben.id, "zoom_account_id": ben.account_id}
        told(stage, {"object": {"email": "ben.new@example.com"}}, **account)

    said = asked(stage, "ben@example.com")

    assert kept(stage) == [("ben@example.com", ben.id)]
    assert said.connection_id == row.id
    assert "It is ben.new@example.com now." in said.verdict.sentence
    assert "ben@example.com was the email of Ben" in said.verdict.sentence
    with stage.runtime.database.reading() as session:
        assert (
            session.get_one(AccountMember, (row.id, ben.id)).email != "ben@example.com"
        )
