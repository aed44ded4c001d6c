"""From development to production in a real browser: linked, counted live, retired."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo
from tests.browser.test_story import sign_in
from tests.browser.test_sweep import WIDTHS, context_of, faults_of, first_link

pytestmark = pytest.mark.browser

_ID = r"[0-9a-f-]{36}"


@pytest.fixture
def admin(browser: Browser, demo: Demo) -> Iterator[Page]:
    """An admin on the page of the demo's move."""
    context = context_of(browser, None, "laptop", "light")
    page = context.new_page()
    sign_in(page, demo, "admin@example.com")
    page.goto(f"{demo.url}/zoom-apps/")
    page.get_by_role("link", name="Notetaker trial").click()
    page.get_by_role("link", name="Who has reconnected").click()
    page.wait_for_url(re.compile(rf"/zoom-apps/{_ID}/production$"))
    yield page
    context.close()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def confirm(page: Page, name: str) -> None:
    """Press a button that asks first, and the same button of its dialog."""
    press(page, name)
    page.get_by_role("dialog").get_by_role("button", name=name, exact=True).click()


def a_zoom_user(demo: Demo) -> str:
    user = {"email": "mover@example.com", "first_name": "Moira", "last_name": "Mover"}
    made = httpx2.post(f"{demo.zoom_url}/_sandbox/users", json=user).json()
    return str(made["id"])


def connect(browser: Browser, demo: Demo, url: str, user_id: str) -> None:
    """Connect through the hosted page, on a phone."""
    context = context_of(browser, None, "phone", "light")
    page = context.new_page()
    page.goto(url)
    page.get_by_role("button", name="Connect Zoom").click()
    page.get_by_label("Signed in as").select_option(value=user_id)
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{demo.url}/connect/**")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are connected")
    context.close()


def test_the_page_that_begins_a_move_is_whole_and_links(
    browser: Browser, admin: Page
) -> None:
    confirm(admin, "Unlink")
    expect(admin.get_by_role("heading", level=1)).to_contain_text("Go live with")
    state = admin.context.storage_state()

    found = []
    for size in WIDTHS:
        for scheme in ("light", "dark"):
            context = context_of(browser, state, size, scheme)
            page = context.new_page()
            page.goto(admin.url)
            page.get_by_text("Other settings (same as development)").click()
            found += faults_of(page)
            context.close()
    press(admin, "Link Notetaker")

    expect(admin.get_by_role("heading", level=1)).to_have_text("Going live")
    assert found == []


def test_who_reconnects_is_counted_at_once(
    browser: Browser, demo: Demo, admin: Page
) -> None:
    user_id = a_zoom_user(demo)
    to_production = admin.locator(".copy-box code").inner_text()
    admin.get_by_role("link", name="Notetaker trial").first.click()
    admin.wait_for_url(re.compile(rf"/zoom-apps/{_ID}$"))
    to_development = first_link(admin, r"/connect/")
    admin.go_back()
    figure = admin.locator("#move-figure .figure")
    before = figure.inner_text()
    moved, total = (int(number) for number in re.findall(r"\d+", before))

    connect(browser, demo, to_development, user_id)
    expect(figure).to_have_text(f"{moved} of {total + 1} have reconnected")
    row = admin.get_by_role("row", name=re.compile("Moira Mover"))
    expect(row).to_contain_text("Not yet")
    connect(browser, demo, to_production, user_id)

    expect(figure).to_have_text(f"{moved + 1} of {total + 1} have reconnected")
    expect(row).to_have_count(0)


def test_a_retired_app_leads_its_users_on_until_it_is_brought_back(
    browser: Browser, admin: Page
) -> None:
    to_production = admin.locator(".copy-box code").inner_text()
    move = admin.url
    admin.get_by_role("link", name="Notetaker trial").first.click()
    admin.wait_for_url(re.compile(rf"/zoom-apps/{_ID}$"))
    to_development = first_link(admin, r"/connect/")
    visitor = context_of(browser, None, "phone", "light").new_page()

    admin.goto(move)
    confirm(admin, "Retire")
    expect(admin.get_by_role("button", name="Restore")).to_be_visible()
    visitor.goto(to_development)
    led_to = urlsplit(visitor.url).path
    press(admin, "Restore")
    expect(admin.get_by_role("button", name="Retire", exact=True)).to_be_visible()
    visitor.goto(to_development)

    assert led_to == urlsplit(to_production).path
    assert urlsplit(visitor.url).path == urlsplit(to_development).path
    visitor.context.close()
