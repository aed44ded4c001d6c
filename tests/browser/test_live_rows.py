"""Rows that arrive never move the ones being read, and the bar keeps the filter."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo
from tests.browser.test_story import sign_in

pytestmark = pytest.mark.browser

ANA = "ana.nowak@example.com"
SHOWN = """() => [...document.querySelectorAll("#webhooks-rows > tr")].map(
  (row) => [row.id, Math.round(row.getBoundingClientRect().top)])"""
ROW = "#webhooks-rows > tr"
WITHIN_MS = 30_000


@pytest.fixture
def make_meetings(demo: Demo) -> Callable[[int], list[str]]:
    """Make meetings as Ana; return their numbers as the log writes them."""
    with httpx2.Client(base_url=f"{demo.zoom_url}/_sandbox") as client:
        users = client.get("/state").json()["users"]
    (ana,) = (user["id"] for user in users if user["email"] == ANA)

    def make(number: int) -> list[str]:
        found = []
        with httpx2.Client(base_url=f"{demo.zoom_url}/_sandbox/do") as client:
            for _ in range(number):
                answer = client.post("/create_meeting", json={"user_id": ana})
                digits = str(answer.raise_for_status().json()["id"])
                found.append(f"{digits[:3]} {digits[3:7]} {digits[7:]}")
        return found

    return make


@pytest.fixture
def log(
    browser: Browser, demo: Demo, make_meetings: Callable[[int], list[str]]
) -> Iterator[Page]:
    """Open the log of one app's new meetings, with more than a page of them."""
    context = browser.new_context(viewport={"width": 1280, "height": 700})
    page = context.new_page()
    sign_in(page, demo, "support@example.com")
    made = make_meetings(60)
    wait_until_listed(page, demo, made)
    page.goto(f"{demo.url}/webhooks/?event=meeting.created")
    row = page.locator(ROW).first
    app = row.locator("td[data-label='Zoom app']").inner_text().strip()
    page.get_by_label("Zoom app").select_option(label=app)
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("zoom_app="))
    expect(page.get_by_role("link", name="Older")).to_be_visible()
    yield page
    context.close()


def wait_until_listed(page: Page, demo: Demo, meetings: list[str]) -> None:
    """Wait until all have come, so that none of them is counted as new later on."""
    wanted = {int(number.replace(" ", "")) for number in meetings}
    for _ in range(100):
        answer = page.request.get(
            f"{demo.url}/webhooks/?event=meeting.created&format=json"
        )
        listed = {row["meeting_id"] for row in answer.json()["webhooks"]}
        if wanted <= listed:
            return
        page.wait_for_timeout(500)
    pytest.fail("The meetings made did not all arrive.")


def answered_live(response: Any) -> bool:
    return (
        "/webhooks/?" in response.url
        and response.request.headers.get("hx-request") == "true"
    )


def test_an_older_page_stays_as_it_is(
    log: Page, make_meetings: Callable[[int], list[str]]
) -> None:
    log.get_by_role("link", name="Older").click()
    expect(log.get_by_role("link", name="Newer")).to_be_visible()
    before = log.evaluate(SHOWN)

    with log.expect_response(answered_live, timeout=WITHIN_MS) as answer:
        make_meetings(3)
    log.wait_for_timeout(1000)

    assert "before=" in answer.value.url
    assert log.evaluate(SHOWN) == before
    assert len(before) > 0
    expect(log.locator("#webhooks-newer")).to_be_empty()


def test_a_reader_who_scrolled_is_told_how_many_came(
    log: Page, make_meetings: Callable[[int], list[str]]
) -> None:
    query = log.url.partition("?")[2]
    log.evaluate("scrollTo(0, 900)")
    before = log.evaluate(SHOWN)

    newest = make_meetings(7)[-1]

    bar = log.locator("#webhooks-newer").get_by_role("link")
    expect(bar).to_have_text("7 new", timeout=WITHIN_MS)
    assert log.evaluate(SHOWN) == before
    for wanted in ("event=meeting.created", "zoom_app="):
        assert wanted in query
        assert wanted in (bar.get_attribute("href") or "")
    bar.click()
    expect(log.locator(ROW, has_text=newest)).to_be_visible()
    assert "event=meeting.created" in log.url


def test_a_reader_at_the_top_sees_them_come(
    log: Page, make_meetings: Callable[[int], list[str]]
) -> None:
    newest = make_meetings(2)[-1]

    expect(log.locator(ROW, has_text=newest)).to_be_visible(timeout=WITHIN_MS)
