"""The users of a connected account: listed, kept up to date, searched and paged."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from dashboard.clients.zoom.api import ZoomUser
from dashboard.db import Database
from dashboard.models.connection import (
    AccountMember,
    Connection,
    ConnectionEvent,
    TokenState,
)
from dashboard.models.zoom_app import Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connections import actions, check, members
from dashboard.services.connections.members import Listing
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import events, sweep
from dashboard.vault import Vault
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.sweep_events import tell
from tests.makers import NOON, FakeClock, a_connection, a_zoom_app

ANA_PMI, BEN_PMI = 5551234567, 5552220000


@pytest.fixture
def stage(
    runtime: Runtime, sandbox: RunningSandbox, database: Database, clock: FakeClock
) -> ConnectStage:
    clock.advance(minutes=10)
    sandbox.clock.set(clock.now())
    made = a_connect_stage(runtime, sandbox, database=database, kind=Kind.ACCOUNT_LEVEL)
    made.users["ben"] = sandbox.zoom_world.add_user(
        email="ben@example.com", first_name="Ben", last_name="Oke", pmi=BEN_PMI
    )
    return made


def later(stage: ConnectStage, clock: FakeClock, **amount: float) -> None:
    clock.advance(**amount)
    stage.sandbox.clock.set(clock.now())


def listed(stage: ConnectStage, row: Connection) -> dict[str, AccountMember]:
    with stage.runtime.database.reading() as session:
        found = members.page(session, row.id, limit=members.MOST).members
        return {one.email: one for one in found}


def pmi_lines(stage: ConnectStage, row: Connection) -> list[str]:
    query = (
        select(ConnectionEvent.words)
        .where(ConnectionEvent.connection_id == row.id, ConnectionEvent.kind == "pmi")
        .order_by(col(ConnectionEvent.at), col(ConnectionEvent.id))
    )
    with stage.runtime.database.reading() as session:
        return list(session.exec(query))


def told(stage: ConnectStage, clock: FakeClock, zoom_user_id: str, **about: Any) -> int:
    return tell(
        stage,
        "user.updated",
        clock.now(),
        {"object": about},
        zoom_user_id=zoom_user_id,
        zoom_account_id=stage.ana.account_id,
    )


def test_one_connection_stands_for_the_account_and_all_its_users(
    stage: ConnectStage,
) -> None:
    row = stage.connect()

    found = listed(stage, row)

    assert (row.zoom_user_id, row.zoom_account_id) == (None, stage.ana.account_id)
    assert row.pmi is None
    assert {email: one.pmi for email, one in found.items()} == {
        "ana@example.com": ANA_PMI,
        "ben@example.com": BEN_PMI,
    }
    assert found["ben@example.com"].display_name == "Ben Oke"
    assert found["ben@example.com"].status == "active"


def test_an_account_of_more_than_a_page_is_listed_whole(stage: ConnectStage) -> None:
    for number in range(310):
        stage.sandbox.zoom_world.add_user(email=f"user{number}@example.com")

    row = stage.connect()

    assert len(listed(stage, row)) == 312


def test_it_is_listed_again_after_an_hour_and_by_hand(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    stage.sandbox.zoom_world.change_user(stage.users["ben"].id, pmi=5553330000)

    later(stage, clock, minutes=5)
    check.now(stage.runtime, row.id)
    soon = listed(stage, row)["ben@example.com"].pmi
    actions.try_again(stage.runtime, row.id)
    by_hand = listed(stage, row)["ben@example.com"]
    stage.sandbox.zoom_world.change_user(stage.users["ben"].id, pmi=5554440000)
    later(stage, clock, minutes=60)
    check.now(stage.runtime, row.id)

    assert (soon, by_hand.pmi, by_hand.previous_pmi) == (BEN_PMI, 5553330000, BEN_PMI)
    assert by_hand.pmi_changed_at == NOON + timedelta(minutes=15)
    assert listed(stage, row)["ben@example.com"].pmi == 5554440000
    assert pmi_lines(stage, row) == [
        f"The PMI of Ben Oke changed from {former} to {now} "
        "(source: Zoom's list of users)."
        for former, now in (
            ("555 222 0000", "555 333 0000"),
            ("555 333 0000", "555 444 0000"),
        )
    ]


def test_who_is_not_listed_any_more_goes(stage: ConnectStage) -> None:
    row = stage.connect()
    stage.sandbox.zoom_world.deactivate_user(stage.users["ben"].id)

    actions.try_again(stage.runtime, row.id)

    assert set(listed(stage, row)) == {"ana@example.com"}


def test_who_may_not_list_users_is_healthy_all_the_same(stage: ConnectStage) -> None:
    stage.sandbox.zoom_world.switch(withheld_scopes=["user:read:list_users:admin"])

    row = stage.connect()

    assert stage.connection(row.id).token_state is TokenState.HEALTHY
    assert listed(stage, row) == {}


def test_a_webhook_changes_a_members_pmi_and_has_the_account_listed(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row, ben = stage.connect(), stage.users["ben"]
    later(stage, clock, minutes=1)
    stage.sandbox.zoom_world.change_user(ben.id, pmi=5553330000)
    stage.sandbox.zoom_world.change_user(stage.ana.id, pmi=5550009999)  # unheard of
    told(stage, clock, ben.id, pmi=5553330000)

    events.read_some(stage.runtime)
    heard = listed(stage, row)
    sweep.check_due(stage.runtime)

    assert heard["ben@example.com"].pmi == 5553330000
    assert heard["ben@example.com"].previous_pmi == BEN_PMI
    assert heard["ana@example.com"].pmi == ANA_PMI
    assert stage.connection(row.id).pmi is None
    assert listed(stage, row)["ana@example.com"].pmi == 5550009999
    assert pmi_lines(stage, row)[0] == (
        "The PMI of Ben Oke changed from 555 222 0000 to 555 333 0000 "
        "(source: a user.updated webhook)."
    )


def test_an_older_webhook_changes_no_member(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row, ben = stage.connect(), stage.users["ben"]
    told(stage, clock, ben.id, pmi=5553330000)  # of the instant of the list

    events.read_some(stage.runtime)

    assert listed(stage, row)["ben@example.com"].pmi == BEN_PMI


def test_a_webhook_about_somebody_new_brings_them(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    later(stage, clock, minutes=1)
    cem = stage.sandbox.zoom_world.add_user(email="cem@example.com", pmi=5553330000)
    told(stage, clock, cem.id, pmi=5553330000)

    events.read_some(stage.runtime)
    heard = listed(stage, row)
    sweep.check_due(stage.runtime)

    assert heard[""].pmi == 5553330000
    assert listed(stage, row)["cem@example.com"].pmi == 5553330000
    assert len(listed(stage, row)) == 3


def test_what_a_webhook_told_while_zoom_was_asked_stands(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row, ben = stage.connect(), stage.users["ben"]
    asked_at = clock.now()
    later(stage, clock, seconds=1)
    told(stage, clock, ben.id, pmi=5553330000)
    events.read_some(stage.runtime)
    late = ZoomUser(id=ben.id, pmi=BEN_PMI, status="active")

    with stage.runtime.database.writing() as session:
        found = Listing(users=[late], asked_at=asked_at)
        row = session.get_one(Connection, row.id)
        members.store(session, row, found, now=clock.now())

    assert listed(stage, row)["ben@example.com"].pmi == 5553330000


def test_a_removal_of_an_account_level_app_marks_the_accounts_connection(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    later(stage, clock, minutes=1)
    stage.sandbox.zoom_world.uninstall(stage.app.client_id, stage.ana.id)
    tell(
        stage,
        "app_deauthorized",
        clock.now(),
        {"client_id": stage.app.client_id},
        zoom_user_id=stage.ana.id,
        zoom_account_id=stage.ana.account_id,
    )

    events.read_some(stage.runtime)
    said = stage.connection(row.id)
    sweep.check_due(stage.runtime)

    assert said.deauthorized_at == clock.now()
    assert said.token_state is TokenState.UNKNOWN
    assert stage.connection(row.id).token_state is TokenState.RECONNECT_NEEDED


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["Ana", "Ben", "Cem"]),
        ("BEN", ["Ben"]),
        ("cem@", ["Cem"]),
        ("555 000 0002", ["Cem"]),
        ("555-000-0009", ["Ana"]),
        ("user1", ["Ben"]),
        ("user", []),
        ("100%", []),
        ("9" * 40, []),
    ],
)
def test_members_are_found_by_name_id_and_both_pmis(
    database: Database, vault: Vault, search: str, found: list[str]
) -> None:
    row = with_members(database, vault)

    with database.reading() as session:
        seen = members.page(session, row.id, search=search).members

    assert [one.display_name for one in seen] == found


def test_pages_of_members_neither_overlap_nor_skip(
    database: Database, vault: Vault
) -> None:
    row = with_members(database, vault, "Ana", "Ana", "Ben", "Ana", "Cem")
    after: str | None = None
    seen: list[str] = []

    with database.reading() as session:
        while True:
            found = members.page(session, row.id, after=after, limit=2)
            seen += [one.zoom_user_id for one in found.members]
            after = found.after
            if after is None:
                break
        strange = members.page(session, row.id, after="nobody").members

    assert seen == ["user0", "user1", "user3", "user2", "user4"]
    assert len(strange) == 5


def with_members(database: Database, vault: Vault, *names: str) -> Connection:
    app = a_zoom_app(vault)
    row = a_connection(app, zoom_user_id=None)
    with database.writing() as session:
        session.add(app)
        session.flush()
        session.add(row)
        session.flush()
        for number, name in enumerate(names or ("Ana", "Ben", "Cem")):
            session.add(
                AccountMember(
                    connection_id=row.id,
                    zoom_user_id=f"user{number}",
                    display_name=name,
                    email=f"{name.lower()}@example.com",
                    pmi=5550000000 + number,
                    previous_pmi=5550000009 if number == 0 else None,
                    seen_at=NOON,
                )
            )
    return row
