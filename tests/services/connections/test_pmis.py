"""Whose PMI it is: mapped or not, and claimed by two."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import SQLModel

from dashboard.db import Database
from dashboard.models.connection import AccountMember, Connection, MeetingMapping
from dashboard.models.ids import new_id
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connections import pmis
from dashboard.services.connections.pmis import PmiStatus
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_zoom_app

PMI, OTHER = 5551234567, 5559999999


@pytest.fixture
def zoom_app(database: Database, vault: Vault) -> ZoomApp:
    added = a_zoom_app(vault)
    add(database, added)
    return added


@pytest.fixture
def ana(database: Database, zoom_app: ZoomApp) -> Connection:
    row = a_connection(zoom_app, zoom_user_id="ana", pmi=PMI)
    add(database, row)
    return row


def add(database: Database, *rows: SQLModel) -> None:
    with database.writing() as session:
        for row in rows:
            session.add(row)
            session.flush()


def a_member(row: Connection, user_id: str, pmi: int = PMI) -> AccountMember:
    return AccountMember(
        connection_id=row.id, zoom_user_id=user_id, pmi=pmi, seen_at=NOON
    )


def a_mapping(row: Connection, meeting_id: int) -> MeetingMapping:
    return MeetingMapping(
        id=new_id(NOON),
        connection_id=row.id,
        meeting_id=meeting_id,
        synced_at=NOON - timedelta(hours=1),
        seen_at=NOON,
    )


def standing(database: Database, row: Connection) -> PmiStatus:
    with database.reading() as session:
        return pmis.status_of(session, row, now=NOON)


def twice(database: Database, *numbers: int) -> set[int]:
    with database.reading() as session:
        return pmis.claimed_twice(session, numbers)


def test_it_is_mapped_when_recall_maps_the_very_number(
    database: Database, zoom_app: ZoomApp, ana: Connection
) -> None:
    ben = a_connection(zoom_app, zoom_user_id="ben", pmi=OTHER)
    add(database, ben, a_mapping(ana, OTHER))
    before = standing(database, ana)
    add(database, a_mapping(ana, PMI), a_mapping(ben, PMI))

    after = standing(database, ana)

    assert (before.mapped_at, before.mapped_to) == (None, [])
    assert after.mapped_at == NOON - timedelta(hours=1)
    assert after.mapped_to == [ben.id]


def test_who_has_no_pmi_stands_nowhere(database: Database, zoom_app: ZoomApp) -> None:
    row = a_connection(zoom_app, pmi=None)
    add(database, row)

    assert standing(database, row) == PmiStatus()
    assert twice(database) == set()


@pytest.mark.parametrize(
    ("values", "is_claimed"),
    [
        ({"zoom_user_id": "ben"}, True),
        ({"zoom_user_id": None}, True),
        ({"zoom_user_id": "ben", "pmi": OTHER}, False),
        ({"zoom_user_id": "ben", "pmi": OTHER, "previous_pmi": PMI}, False),
    ],
    ids=["another user", "nobody knows who", "another PMI", "a former one"],
)
def test_two_users_with_one_pmi_collide(
    database: Database,
    zoom_app: ZoomApp,
    ana: Connection,
    values: dict[str, Any],
    is_claimed: bool,  # noqa: FBT001 - of a table
) -> None:
    ben = a_connection(zoom_app, display_name="Ben Oke", pmi_seen_at=NOON)
    for name, value in values.items():
        setattr(ben, name, value)
    ben.pmi = values.get("pmi", PMI)
    add(database, ben)

    claims = standing(database, ana).claims

    assert [(one.connection_id, one.who) for one in claims] == (
        [(ben.id, "Ben Oke")] if is_claimed else []
    )
    assert twice(database, PMI, OTHER) == ({PMI} if is_claimed else set())


def test_one_user_of_two_zoom_apps_does_not_collide_with_themselves(
    database: Database, vault: Vault, ana: Connection
) -> None:
    second = a_zoom_app(vault)
    again = a_connection(second, zoom_user_id="ana", pmi=PMI)
    account = a_connection(second, zoom_user_id=None, pmi=None)
    add(database, second, again, account, a_member(account, "ana"))

    assert standing(database, ana).claims == []
    assert twice(database, PMI) == set()


def test_a_member_of_an_account_collides_with_a_user(
    database: Database, vault: Vault, ana: Connection
) -> None:
    second = a_zoom_app(vault)
    account = a_connection(second, zoom_user_id=None, pmi=None)
    add(database, second, account, a_member(account, "ben"), a_member(account, "c", 1))

    [claim] = standing(database, ana).claims

    assert (claim.connection_id, claim.who, claim.seen_at) == (account.id, "ben", NOON)
    assert twice(database, PMI, 1) == {PMI}


def test_the_same_user_in_another_app_and_their_account_make_it_nobody_elses(
    database: Database, vault: Vault, zoom_app: ZoomApp
) -> None:
    other = a_zoom_app(vault, client_id="other", name="Other")
    whole = a_zoom_app(vault, client_id="whole", name="Whole")
    add(database, other, whole)
    row = a_connection(zoom_app, zoom_user_id="ana", zoom_account_id="acc", pmi=PMI)
    twin = a_connection(other, zoom_user_id="ana", zoom_account_id="acc", pmi=PMI)
    account = a_connection(whole, zoom_user_id=None, zoom_account_id="acc", pmi=None)
    strange = a_connection(other, zoom_user_id="ben", zoom_account_id="acc")
    add(database, row, twin, account, strange)
    add(database, *(a_mapping(one, PMI) for one in (row, twin, account)))

    assert standing(database, row).mapped_to == []
    assert standing(database, row).mapped_at == NOON - timedelta(hours=1)
    add(database, a_mapping(strange, PMI))
    assert standing(database, row).mapped_to == [strange.id]
