"""The page of a connected account: its users and their PMIs."""

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlmodel import SQLModel

from dashboard.models.connection import AccountMember, Connection
from dashboard.models.zoom_app import Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.makers import NOON, a_connection


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> ConnectStage:
    return a_connect_stage(runtime, sandbox, kind=Kind.ACCOUNT_LEVEL)


def add(stage: ConnectStage, *rows: SQLModel) -> None:
    with stage.runtime.database.writing() as session:
        for row in rows:
            session.add(row)
            session.flush()


def seen(browser: FlaskClient, row: Connection, **query: str) -> str:
    """Return the words of the page."""
    page = browser.get(f"/connections/{row.id}", query_string=query)
    assert page.status_code == 200
    return " ".join(BeautifulSoup(page.text, "html.parser").get_text(" ").split())


@pytest.mark.parametrize(
    "query",
    ["before=x", "after=nobody", "meeting=%00", "member=%00%25", "before=1-1-1"],
)
def test_a_query_of_no_sense_does_no_harm(
    admin: FlaskClient, stage: ConnectStage, query: str
) -> None:
    row = a_connection(stage.app, zoom_user_id=None)
    add(stage, row)

    assert admin.get(f"/connections/{row.id}?{query}").status_code == 200


def test_an_account_lists_its_users_and_has_no_pmi_of_its_own(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    row, other = (
        a_connection(stage.app, zoom_user_id=None, pmi=None, zoom_account_id=one)
        for one in ("one", "two")
    )
    add(stage, row, other)
    users = [
        AccountMember(
            connection_id=row.id,
            zoom_user_id=f"user{number:02}",
            display_name=f"User {number:02}",
            email=f"user{number:02}@example.com",
            pmi=5550000000 + number,
            previous_pmi=5559990000 if number == 0 else None,
            pmi_changed_at=NOON,
            seen_at=NOON,
        )
        for number in range(60)
    ]
    twin = AccountMember(
        connection_id=other.id, zoom_user_id="x", pmi=5550000001, seen_at=NOON
    )
    add(stage, *users, twin)

    text = seen(admin, row)
    more = seen(admin, row, after="user14")
    one = seen(admin, row, member="USER07@")

    assert "60 listed by Zoom" in text
    assert "Personal meeting (PMI)" not in text
    assert "before 555 999 0000" in text
    assert "claimed by two" in text
    assert ("User 14" in text, "User 15" in text) == (True, False)
    assert ("User 14" in more, "User 15" in more) == (False, True)
    assert ("User 07" in one, "User 08" in one) == (True, False)
    assert "No matches." in seen(admin, row, member="zebra")
