"""The page of one connection: who must act, PMI, meetings, members and timeline."""

import re
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlmodel import SQLModel

from dashboard.models.connection import (
    Connection,
    MeetingMapping,
    TokenCause,
    TokenState,
)
from dashboard.models.ids import new_id
from dashboard.models.staff import Role
from dashboard.services.timeline import notes
from tests.conftest import SignIn
from tests.fixtures.connect import ConnectStage
from tests.makers import NOON, a_connection, a_webhook


def add(stage: ConnectStage, *rows: SQLModel) -> None:
    with stage.runtime.database.writing() as session:
        for row in rows:
            session.add(row)
            session.flush()


def note(stage: ConnectStage, row: Connection, words: str, minutes: int = 0) -> None:
    with stage.runtime.database.writing() as session:
        notes.note(
            session,
            row.id,
            at=NOON + timedelta(minutes=minutes),
            source="zoom",
            kind="pmi",
            words=words,
        )


def seen(browser: FlaskClient, row: Connection, **query: str) -> str:
    """Return the words of the page."""
    page = browser.get(f"/connections/{row.id}", query_string=query)
    assert page.status_code == 200
    return " ".join(BeautifulSoup(page.text, "html.parser").get_text(" ").split())


def primary(browser: FlaskClient, row: Connection) -> list[str]:
    page = BeautifulSoup(browser.get(f"/connections/{row.id}").text, "html.parser")
    found = page.select("main .btn-primary")
    return [one.get_text(strip=True) for one in found]


@pytest.mark.parametrize(
    "case",
    [
        (TokenState.HEALTHY, "The token works at Zoom.", "", "Check now"),
        (
            TokenState.RECONNECT_NEEDED,
            "Zoom no longer accepts this grant.",
            "The user must act. Send the user a reconnect link.",
            "Reconnect link",
        ),
        (
            TokenState.UNHEALTHY_IN_RECALL,
            "Recall marked it.",
            "Press Check now to have Recall try again",
            "Check now",
        ),
        (
            TokenState.UNKNOWN,
            TokenCause.KEY_REFUSED,
            "An admin must act. Enter a valid API key",
            "Go to the workspaces",
        ),
        (
            TokenState.UNKNOWN,
            TokenCause.PAIR_REFUSED,
            "An admin must act.",
            "Go to the zoom app",
        ),
        (TokenState.UNKNOWN, "Zoom could not say.", "", "Check now"),
    ],
)
def test_the_page_says_who_must_act_and_has_one_primary_button(
    admin: FlaskClient, stage: ConnectStage, case: tuple[TokenState, str, str, str]
) -> None:
    state, reason, says, button = case
    cause = reason if isinstance(reason, TokenCause) else TokenCause.NONE
    row = a_connection(
        stage.app, token_state=state, token_reason=reason, token_cause=cause
    )
    add(stage, row)

    text = seen(admin, row)

    assert reason in text
    assert says in text
    named = re.search(r"[Tt]he \w+ must act|[Aa]n \w+ must act", text)
    assert bool(named) is ("must act" in says)
    assert primary(admin, row) == [button]


def test_support_sees_what_to_do_and_no_way_to_disconnect(
    as_role: SignIn, stage: ConnectStage
) -> None:
    row = a_connection(
        stage.app,
        token_state=TokenState.UNKNOWN,
        token_cause=TokenCause.KEY_REFUSED,
    )
    add(stage, row)
    support = as_role(Role.SUPPORT)

    assert "An admin must act." in seen(support, row)
    assert "Disconnect" not in seen(support, row)
    assert primary(support, row) == []


def test_a_check_by_a_real_call_is_told_with_its_age(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    row = a_connection(
        stage.app,
        token_checked_at=NOON - timedelta(minutes=4),
        token_evidence="Zoom answered an API call with a token from Recall.",
    )
    add(stage, row)

    assert "verified with a live API call 4 min ago" in seen(admin, row)


def test_the_hosts_setting_is_named_with_where_to_switch_it_on(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    row = a_connection(
        stage.app, recording_block="No permission.", recording_block_at=NOON
    )
    add(stage, row)

    text = seen(admin, row)

    assert "A Zoom setting stops bots from recording" in text
    assert "No permission." in text
    assert "Hosts can give meeting participants permission to record locally" in text
    assert "The host can turn it on at zoom.us under Settings" in text


def test_the_pmi_is_told_with_its_past_and_what_it_means(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    row = a_connection(
        stage.app,
        previous_pmi=5550001111,
        pmi_changed_at=NOON - timedelta(hours=2),
        pmi_changed_by="a user.updated webhook",
    )
    add(stage, row)
    unread = seen(admin, row)
    with stage.runtime.database.writing() as session:
        session.get_one(Connection, row.id).mappings_seen_at = NOON
    before = seen(admin, row)
    add(
        stage,
        MeetingMapping(
            id=new_id(NOON),
            connection_id=row.id,
            meeting_id=5551234567,
            synced_at=NOON - timedelta(hours=3),
            seen_at=NOON,
        ),
    )

    after = seen(admin, row)

    assert "None yet. Recall maps a meeting" in before
    assert "555 123 4567 may or may not be known to Recall" in unread
    assert "Not known yet: Recall's list of meetings has not been read." in unread
    assert "555 123 4567 was not in Recall's list of meetings now" in before
    assert "Recall's list was last read now" in before
    past = "Previously 555 000 1111, until 2 h ago (source: a user.updated webhook)."
    assert past in before
    assert (
        "555 123 4567 is known to Recall (mapped 3 h ago , last seen in its list now"
        in after
    )


def test_a_collision_is_named_on_both_pages_and_in_the_list(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    ana = a_connection(stage.app, pmi_seen_at=NOON)
    ben = a_connection(
        stage.app, display_name="Ben Oke", pmi_seen_at=NOON - timedelta(days=1)
    )
    cem = a_connection(stage.app, display_name="Cem", pmi=5550001111)
    add(stage, ana, ben, cem)

    assert "Ben Oke has the same PMI here, as of 24 h ago" in seen(admin, ana)
    assert "Press Check now on each page, starting with the one" in seen(admin, ana)
    assert "Ana Nowak has the same PMI here" in seen(admin, ben)
    assert "has the same PMI" not in seen(admin, cem)
    assert admin.get("/connections/").text.count("claimed by two") == 2


def test_mapped_meetings_are_found_by_their_number(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    row = a_connection(stage.app)
    add(stage, row)
    add(
        stage,
        *(
            MeetingMapping(
                id=new_id(NOON),
                connection_id=row.id,
                meeting_id=91200000000 + number,
                synced_at=NOON,
                seen_at=NOON,
            )
            for number in range(60)
        ),
    )

    assert "912 0000 0059" in seen(admin, row, meeting="912 0000 005")
    assert "912 0000 0001" not in seen(admin, row, meeting="912 0000 005")
    assert "No mapped meeting starts with 100%" in seen(admin, row, meeting="100%")
    assert "Showing the newest 50." in seen(admin, row)


def test_the_timeline_pages_and_leaves_webhooks_out_on_demand(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    row = a_connection(stage.app, zoom_user_id="ana")
    add(stage, row, a_webhook(stage.app, zoom_user_id="ana"))
    for number in range(30):
        note(stage, row, f"Line {number}.", -number)

    first = admin.get(f"/connections/{row.id}")
    page = BeautifulSoup(first.text, "html.parser")
    older = page.select_one("#timeline a[rel=next]")
    assert older is not None
    second = BeautifulSoup(admin.get(str(older["href"])).text, "html.parser")

    assert len(page.select("#timeline li")) == 25
    assert len(second.select("#timeline li")) == 6
    assert second.select("#timeline .pager a")[0].get_text() == "Newest"
    assert "meeting.created received" in first.text
    assert "meeting.created received" not in seen(admin, row, webhooks="no")


def test_htmx_gets_the_live_part_alone_with_the_query_kept(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    row = a_connection(stage.app)
    add(stage, row)

    answer = admin.get(
        f"/connections/{row.id}?webhooks=no", headers={"HX-Request": "true"}
    )

    root = BeautifulSoup(answer.text, "html.parser").select("*")[0]
    assert root["id"] == f"connection-{row.id}"
    assert str(root["hx-get"]).endswith("?webhooks=no")
