"""How connecting can go wrong, seen by a user on a phone."""

import re
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.conftest import Demo
from tests.browser.test_story import sign_in
from tests.browser.test_sweep import faults_of, first_link

pytestmark = pytest.mark.browser

PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def connect_url(browser: Browser, demo: Demo) -> str:
    """Return the connect page of the production app."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, demo, "admin@example.com")
    page.goto(f"{demo.url}/zoom-apps/")
    page.get_by_role("link", name="Notetaker", exact=True).click()
    found = first_link(page, r"/connect/")
    context.close()
    return found


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, bypass_csp=True)  # for axe
    yield context.new_page()
    context.close()


@pytest.fixture
def broken_recall(demo: Demo) -> Iterator[None]:
    """Let Recall refuse to make credentials until the test ends."""
    address = f"{demo.recall_url}/_sandbox/faults"
    fault = {"kind": "html_403", "path": "/api/v2/zoom-oauth-credentials/"}
    httpx2.post(address, json=[fault | {"method": "POST"}]).raise_for_status()
    yield
    httpx2.post(address, json=[]).raise_for_status()


def go_to_zoom(page: Page, connect_url: str) -> None:
    page.goto(connect_url)
    page.get_by_role("button", name="Connect Zoom").click()
    expect(page.get_by_role("button", name="Allow")).to_be_visible()


def test_who_declines_is_told_that_nothing_happened_and_may_start_again(
    phone: Page, connect_url: str
) -> None:
    go_to_zoom(phone, connect_url)

    phone.get_by_role("button", name="Decline").click()

    expect(phone.get_by_role("heading", level=1)).to_have_text("You declined")
    expect(phone.get_by_role("link", name="Start again")).to_be_visible()
    assert faults_of(phone) == []


def test_a_callback_opened_twice_or_elsewhere_connects_nobody(
    browser: Browser, phone: Page, connect_url: str
) -> None:
    callbacks: list[str] = []
    phone.on(
        "request",
        lambda request: (
            callbacks.append(request.url)
            if "/oauth/zoom/callback?" in request.url
            else None
        ),
    )
    go_to_zoom(phone, connect_url)
    phone.get_by_role("button", name="Allow").click()
    expect(phone.get_by_role("heading", level=1)).to_contain_text(
        re.compile("connected", re.IGNORECASE)
    )

    again = phone.goto(callbacks[0])
    elsewhere = browser.new_context(viewport=PHONE)
    stolen = elsewhere.new_page().goto(callbacks[0])

    assert again is not None
    assert stolen is not None
    assert (again.status, stolen.status) == (410, 410)
    assert faults_of(phone) == []
    elsewhere.close()


@pytest.mark.usefixtures("broken_recall")
def test_when_recall_refuses_the_user_reads_whose_turn_it_is(
    phone: Page, connect_url: str
) -> None:
    go_to_zoom(phone, connect_url)

    phone.get_by_role("button", name="Allow").click()

    expect(phone.get_by_role("heading", level=1)).to_have_text("Recall refused")
    expect(phone.get_by_role("link", name="Start again")).to_be_visible()
    assert "code=" not in phone.url
    assert faults_of(phone) == []
