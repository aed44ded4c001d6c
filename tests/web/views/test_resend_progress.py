"""A resend under way and ended: watched by all staff, called off by admins."""

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from sqlmodel import select

from dashboard.models.audit import AuditEntry
from dashboard.models.resend import Redelivery, RedeliveryOutcome, ResendState
from dashboard.models.staff import Role
from dashboard.services.live import topics
from dashboard.services.resends import collecting
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.fixtures.resend_pages import (
    DEAD,
    FRAGMENT,
    begin,
    dead,
    end,
    form_of,
    resends_of,
    soup,
    text,
    zoom_app,
)
from tests.makers import FakeClock

__all__ = ["dead", "zoom_app"]


@pytest.mark.usefixtures("dead")
def test_its_page_tells_how_far_it_is_and_asks_for_itself(
    as_role: SignIn, runtime: Runtime, clock: FakeClock
) -> None:
    browser = as_role(Role.ADMIN)
    url = f"/webhooks/resends/{(resend_id := begin(browser))}"
    before = soup(browser, url).select_one("#resend")
    collecting.run_due(runtime)
    end(runtime, 700, RedeliveryOutcome.DELIVERED)
    end(runtime, 30, RedeliveryOutcome.DEAD)
    clock.advance(seconds=10)

    fragment = soup(browser, url, headers=FRAGMENT)

    assert before is not None
    assert (before["data-live"], before["hx-get"]) == (f"resend-{resend_id}", url)
    chart = fragment.select_one("svg[role=img]")
    assert chart is not None
    assert chart["aria-label"] == (
        "1,200 webhooks: 700 delivered, 30 failed, 470 waiting"
    )
    shown = text(fragment, "#resend")
    assert "730 of 1,200 sent" in shown
    assert "about 73 a second" in shown
    assert fragment.select("h1") == []


def test_what_died_is_listed_by_key_with_its_reason(
    as_role: SignIn, runtime: Runtime, dead: list[int]
) -> None:
    browser = as_role(Role.SUPPORT)
    resend_id = begin(as_role(Role.ADMIN))
    collecting.run_due(runtime)
    end(runtime, 30, RedeliveryOutcome.DEAD)

    first = soup(browser, f"/webhooks/resends/{resend_id}")
    older = first.select_one("a[rel=next]")
    assert older is not None
    second = soup(browser, str(older["href"]))

    rows = [*first.select("tr[id]"), *second.select("tr[id]")]
    links = [str(link["href"]) for row in rows for link in row.select("a")]
    assert links == [f"/webhooks/{each}" for each in reversed(dead[:30])]
    assert "Recall said no." in rows[0].text


@pytest.mark.usefixtures("dead")
def test_cancelling_tells_what_was_sent_and_is_audited(
    as_role: SignIn, runtime: Runtime
) -> None:
    browser = as_role(Role.ADMIN)
    resend_id = begin(browser)
    collecting.run_due(runtime)
    end(runtime, 700, RedeliveryOutcome.DELIVERED)
    page = soup(browser, f"/webhooks/resends/{resend_id}")
    action, values = form_of(page)

    answer = browser.post(action, data=values, follow_redirects=True)
    again = browser.post(action, data=values, follow_redirects=True)

    assert action == f"/webhooks/resends/{resend_id}/cancel"
    assert "Webhooks already sent stay sent" in text(page)
    assert "Cancelled. 700 were already sent; 500 will not be sent." in answer.text
    assert "is already cancelled. Nothing was changed" in again.text
    ended = BeautifulSoup(again.text, "html5lib")
    assert ended.select("main form") == []
    assert ended.select("[data-live]") == []
    with runtime.database.reading() as session:
        acts = session.exec(select(AuditEntry.act)).all()
    assert acts.count("resend.cancelled") == 1


@pytest.mark.usefixtures("dead")
def test_the_history_lists_each_with_what_came_of_it(
    as_role: SignIn, runtime: Runtime
) -> None:
    browser = as_role(Role.SUPPORT)
    empty = text(soup(browser, "/webhooks/resends"))
    resend_id = begin(as_role(Role.ADMIN))
    collecting.run_due(runtime)
    end(runtime, 1200, RedeliveryOutcome.DELIVERED)
    collecting.run_due(runtime)

    page = soup(browser, "/webhooks/resends")

    assert "No resends yet" in empty
    row = text(page, f"#resend-{resend_id}")
    assert "outcome Failed" in row
    assert "Done" in row
    assert "1,200 of 1,200 delivered" in row
    assert page.select("[data-live]") == []


@pytest.mark.usefixtures("dead")
def test_support_watches_and_is_offered_nothing(
    as_role: SignIn, runtime: Runtime
) -> None:
    resend_id = begin(as_role(Role.ADMIN))
    collecting.run_due(runtime)
    support = as_role(Role.SUPPORT)

    page = soup(support, f"/webhooks/resends/{resend_id}")
    log = soup(support, "/webhooks/?outcome=dead")
    refused = [
        support.get(DEAD),
        support.post("/webhooks/resends?outcome=dead"),
        support.post(f"/webhooks/resends/{resend_id}/cancel"),
    ]

    assert page.select("main form, main button") == []
    assert "Resend filtered" not in text(log)
    assert [answer.status_code for answer in refused] == [403, 403, 403]
    assert [each.state for each in resends_of(runtime)] == [ResendState.SENDING]


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.ADMIN])
def test_an_unknown_resend_is_not_found(as_role: SignIn, role: Role) -> None:
    assert as_role(role).get("/webhooks/resends/42").status_code == 404


@pytest.mark.usefixtures("dead")
def test_what_recall_rejected_once_is_said_with_its_next_attempt_and_is_news(
    as_role: SignIn, runtime: Runtime, clock: FakeClock
) -> None:
    browser = as_role(Role.SUPPORT)
    resend_id = begin(as_role(Role.ADMIN))
    collecting.run_due(runtime)
    topic = f"resend-{resend_id}"
    with runtime.database.writing() as session:
        before = topics.versions(session, [topic])
        one = session.exec(select(Redelivery).limit(1)).one()
        one.refused_at, one.outcome_reason = clock.now(), "Recall said no."
        one.due_at = clock.now() + timedelta(hours=1)
        session.add(one)
        session.flush()
        after = topics.versions(session, [topic])

    shown = text(soup(browser, f"/webhooks/resends/{resend_id}"), "#resend-progress")

    assert before != after
    assert "The next attempt is in" in shown
    assert "Last result: Recall said no." in shown
