"""How a connect attempt ends badly, as the person on a phone sees it.

An expired attempt is left to the services' tests: it takes ten minutes of real time.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo
from tests.browser.test_story import sign_in
from tests.browser.test_sweep import connect_address, context_of, faults_of

pytestmark = pytest.mark.browser

CALLBACK = "/oauth/zoom/callback"
CREDENTIALS = "/api/v2/zoom-oauth-credentials"
EMAIL = "phone.visitor@example.com"
START_AGAIN = "Start again"


@dataclass(frozen=True, kw_only=True)
class Door:
    """The demo's connect page, and somebody of its Zoom who may use it."""

    demo: Demo
    url: str
    zoom_user_id: str

    def leave(self, page: Page) -> dict[str, str]:
        """Press the button; return what Zoom is asked, in the names of its API."""
        page.goto(self.url)
        page.get_by_role("button", name="Connect Zoom").click()
        page.wait_for_url(f"{self.demo.zoom_url}/**")
        asked = dict(parse_qsl(urlsplit(page.url).query))
        asked.pop("response_type")
        return asked

    def allow(self, page: Page) -> None:
        page.get_by_label("Signed in as").select_option(value=self.zoom_user_id)
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url(f"{self.demo.url}/**")

    def zoom(self, what: str, **body: str) -> Any:
        return said(f"{self.demo.zoom_url}/_sandbox/{what}", body)

    @contextmanager
    def recall(self, what: str, told: Any, *, usual: Any) -> Iterator[None]:
        """Let the simulated Recall misbehave, for this long alone."""
        url = f"{self.demo.recall_url}/_sandbox/{what}"
        said(url, told)
        try:
            yield
        finally:
            said(url, usual)


def said(url: str, body: Any) -> Any:
    return httpx2.post(url, json=body).raise_for_status().json()


@pytest.fixture(scope="module")
def door(browser: Browser, demo: Demo) -> Door:
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, demo, "admin@example.com")
    url = connect_address(page, demo)
    context.close()
    user = {"email": EMAIL, "first_name": "Phone", "last_name": "Visitor"}
    made = said(f"{demo.zoom_url}/_sandbox/users", user)
    return Door(demo=demo, url=url, zoom_user_id=made["id"])


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give the phone of somebody who was never here."""
    context = context_of(browser, None, "phone", "light")
    yield context.new_page()
    context.close()


def expect_end(page: Page, heading: str, advice: str, action: str = "") -> None:
    """Expect a page of its own that says what to do next, whole in both themes."""
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    expect(page.get_by_text(advice)).to_be_visible()
    if action:
        expect(page.locator("a.btn, button", has_text=action)).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert faults_of(page) == []


def test_who_declines_is_told_that_nothing_was_connected(
    door: Door, page: Page
) -> None:
    door.leave(page)

    page.get_by_role("button", name="Decline").click()

    expect_end(page, "You declined", "press Allow at Zoom", START_AGAIN)
    page.get_by_role("link", name=START_AGAIN).click()
    expect(page).to_have_url(door.url)


def test_a_way_back_opened_twice_leads_to_the_same_result(
    door: Door, page: Page
) -> None:
    back: list[str] = []
    page.on(
        "request",
        lambda asked: back.append(asked.url) if CALLBACK in asked.url else None,
    )
    door.leave(page)
    door.allow(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("You are connected")
    assert "code=" not in page.url

    page.goto(back[0])

    expect(page.get_by_role("heading", level=1)).to_have_text("You are connected")
    page.get_by_role("link", name="see your connection").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your connection")
    expect(page.get_by_text("Your connection works.")).to_be_visible()
    assert faults_of(page) == []


def test_a_way_back_is_of_no_use_in_another_browser(
    browser: Browser, door: Door, page: Page
) -> None:
    asked = door.leave(page)
    back = door.zoom("do/authorize", user_id=door.zoom_user_id, **asked)
    other = context_of(browser, None, "phone", "light")
    stranger = other.new_page()

    stranger.goto(back)

    expect_end(stranger, "Another browser", "in the same browser", START_AGAIN)
    other.close()
    page.goto(back)
    expect(page.get_by_role("heading", level=1)).to_have_text("You are connected")


def test_an_installation_begun_at_zoom_is_led_to_the_connect_page(
    door: Door, page: Page
) -> None:
    client_id = door.leave(page)["client_id"]
    back = door.zoom("do/install", client_id=client_id, user_id=door.zoom_user_id)

    page.goto(back)

    # Without state nothing tells which of the demo's apps it was.
    expect_end(page, "One more step", "Connect from our page instead")
    expect(page.get_by_text("Open the connect link you received")).to_be_visible()


def test_a_link_nobody_was_sent_with_is_not_known(door: Door, page: Page) -> None:
    page.goto(f"{door.demo.url}{CALLBACK}?code=made-up&state=never-made")

    expect_end(page, "We don't recognize this link", "Start again to get a new one")


def test_an_error_of_zoom_names_who_can_help(door: Door, page: Page) -> None:
    state = door.leave(page)["state"]

    page.goto(f"{door.demo.url}{CALLBACK}?error=server_error&state={state}")

    expect_end(page, "Zoom did not allow it", "Zoom admin may have to", START_AGAIN)
    expect(page.get_by_text("server_error")).to_be_visible()


def test_a_refusal_of_recall_is_not_the_visitors_fault(door: Door, page: Page) -> None:
    refusing = {"kind": "html_403", "path": CREDENTIALS, "method": "POST"}
    door.leave(page)

    with door.recall("faults", [refusing], usual=[]):
        door.allow(page)

    expect_end(page, "Recall refused", "send this to the person", START_AGAIN)
    expect(page.get_by_text(re.compile(r"Reference [0-9a-f-]{36}"))).to_be_visible()


def test_a_recall_that_is_down_is_told_apart_from_one_that_refuses(
    door: Door, page: Page
) -> None:
    down = {"kind": "down", "path": CREDENTIALS, "method": "POST"}
    door.leave(page)

    with door.recall("faults", [down], usual=[]):
        door.allow(page)

    expect_end(
        page, "Recall could not be reached", "Wait a minute and start again", "again"
    )
    expect(page.get_by_text(re.compile(r"Reference [0-9a-f-]{36}"))).to_be_visible()


def test_an_older_connection_in_the_way_costs_one_more_consent(
    door: Door, page: Page
) -> None:
    door.leave(page)
    door.allow(page)
    door.leave(page)

    with door.recall(
        "switches", {"reconnect": "conflict"}, usual={"reconnect": "upsert"}
    ):
        door.allow(page)

    expect_end(page, "One more step", "approve again at Zoom", "Connect Zoom")
    page.get_by_role("button", name="Connect Zoom").click()
    door.allow(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("You are connected")
