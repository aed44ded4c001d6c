"""Resending by filter: what is shown before, begun by admins, watched by all staff."""

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from sqlmodel import col, select

from dashboard.models.audit import AuditEntry
from dashboard.models.ids import new_id
from dashboard.models.staff import Role
from dashboard.services.resends import collecting
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.fixtures.resend_pages import (
    DEAD,
    dead,
    form_of,
    resends_of,
    soup,
    text,
    zoom_app,
)
from tests.makers import NOON

__all__ = ["dead", "zoom_app"]


@pytest.mark.usefixtures("dead")
def test_the_log_leads_to_a_resend_with_its_filter(as_role: SignIn) -> None:
    page = soup(
        as_role(Role.ADMIN), "/webhooks/?outcome=dead&meeting=912%203456%207890"
    )

    links = [
        str(a["href"]) for a in page.select("main a") if "Resend filtered" in a.text
    ]
    assert len(links) == 1
    assert "outcome=dead" in links[0]
    assert "meeting=912" in links[0]


@pytest.mark.usefixtures("dead")
def test_a_preview_says_how_many_how_old_and_that_recall_may_refuse(
    as_role: SignIn, runtime: Runtime
) -> None:
    page = soup(as_role(Role.ADMIN), DEAD)

    shown = text(page)
    assert [b.text for b in page.select("main .btn-primary")] == [
        "Resend 1,200 webhooks"
    ]
    assert (
        "Recall may reject them because their timestamps are 37 min to 20 h old"
        in shown
    )
    assert "Zoom's own timestamp and signature" in shown
    assert "Outcome Failed" in shown
    assert resends_of(runtime) == []


@pytest.mark.usefixtures("dead")
def test_a_preview_says_what_is_left_out_and_why(as_role: SignIn) -> None:
    shown = text(soup(as_role(Role.ADMIN), "/webhooks/resends/new"))

    assert "Resend 1,201 webhooks" in shown
    assert "1 already queued" in shown
    assert "1 not forwarded" in shown
    assert "No filter: every webhook in the log" in shown


@pytest.mark.usefixtures("dead")
def test_nothing_to_send_has_no_button(as_role: SignIn) -> None:
    page = soup(as_role(Role.ADMIN), "/webhooks/resends/new?outcome=kept")

    assert page.select("main form[method=post]") == []
    assert "No webhook that can be resent matches" in text(page)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("outcome=dead&meeting=12ab", "Meeting number: Use digits only"),
        ("outcome=lost", "Outcome: Not a valid choice"),
        ("zoom_app=nonsense", "Zoom app: Not a valid choice"),
        ("outcome=dead&since=yesterday", "From (UTC): Not a valid datetime"),
    ],
    ids=["meeting", "outcome", "zoom app", "time"],
)
@pytest.mark.usefixtures("dead")
def test_a_filter_with_an_error_sends_nothing_rather_than_more(
    as_role: SignIn, runtime: Runtime, query: str, said: str
) -> None:
    browser = as_role(Role.ADMIN)

    shown = browser.get(f"/webhooks/resends/new?{query}")
    posted = browser.post(
        f"/webhooks/resends?{query}", data={"resend": str(new_id(NOON))}
    )

    assert (shown.status_code, posted.status_code) == (422, 422)
    page = BeautifulSoup(posted.text, "html5lib")
    assert said in text(page)
    assert page.select("main form[method=post]") == []
    assert resends_of(runtime) == []


@pytest.mark.usefixtures("dead")
def test_beginning_it_twice_begins_it_once_and_is_audited_once(
    as_role: SignIn, runtime: Runtime
) -> None:
    browser = as_role(Role.ADMIN)
    action, values = form_of(soup(browser, DEAD))

    first = browser.post(action, data=values)
    collecting.run_due(runtime)
    second = browser.post(action, data=values)

    assert first.headers["Location"] == second.headers["Location"]
    [resend] = resends_of(runtime)
    assert (resend.asked_by, resend.query, resend.expected, resend.total) == (
        "admin@example.com",
        "outcome=dead",
        1200,
        1200,
    )
    with runtime.database.reading() as session:
        [entry] = session.exec(
            select(AuditEntry).where(col(AuditEntry.act) == "resend.begun")
        )
    assert "1,200 webhooks, outcome=dead" in entry.subject


@pytest.mark.parametrize("sent", ["none", "nonsense", "old"])
@pytest.mark.usefixtures("dead")
def test_a_form_without_a_fresh_preview_begins_nothing(
    as_role: SignIn, runtime: Runtime, sent: str
) -> None:
    old = str(new_id(NOON - timedelta(hours=2)))
    data = {"none": {}, "nonsense": {"resend": "x"}, "old": {"resend": old}}[sent]

    answer = as_role(Role.ADMIN).post("/webhooks/resends?outcome=dead", data=data)

    assert answer.status_code == 409
    page = BeautifulSoup(answer.text, "html5lib")
    assert "too old. Nothing was started" in text(page)
    assert form_of(page)[0] == "/webhooks/resends?outcome=dead"
    assert resends_of(runtime) == []
