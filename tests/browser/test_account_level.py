"""A whole Zoom account is connected by its admin; its users and PMIs are followed."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo
from tests.browser.test_connect_pages import said
from tests.browser.test_story import connect_zoom, open_step, sign_in
from tests.browser.test_sweep import context_of, faults_of
from tests.fixtures.browsing import submit

pytestmark = pytest.mark.browser

APP = "Notetaker for teams"
ADMIN = {
    "email": "zoom.admin@example.com",
    "first_name": "Zoe",
    "last_name": "Adler",
    "role_name": "Admin",
}
MEMBER = {
    "email": "mara.sand@example.com",
    "first_name": "Mara",
    "last_name": "Sand",
    "pmi": 5557000001,
}
LIVE_MS = 20_000


def at_zoom(demo: Demo, what: str, **body: object) -> Any:
    return said(f"{demo.zoom_url}/_sandbox/{what}", body)


def enter(page: Page, demo: Demo) -> None:
    """Enter an account-level app, create it in Recall, tell Zoom where to post."""
    redirect_url = f"{demo.url}/oauth/zoom/callback"
    kind = "account_level"
    made = at_zoom(demo, "apps", name=APP, kind=kind, redirect_url=redirect_url)
    page.goto(f"{demo.url}/zoom-apps/new")
    page.get_by_label("A Zoom admin, for all (admin-managed)").check()
    page.get_by_role("button", name="Continue to scopes").click()
    expect(page.get_by_text("user:read:list_users:admin").first).to_be_visible()
    page.get_by_role("link", name="Continue to credentials").click()
    page.get_by_label("Name").fill(APP)
    page.get_by_label("Client ID").fill(made["client_id"])
    page.get_by_label("Client secret").fill(made["client_secret"])
    page.get_by_label("Secret token").fill(made["secret_token"])
    page.get_by_role("button", name="Verify and save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(APP)
    open_step(page, "Workspace in Recall")
    workspace = page.get_by_label("Workspace", exact=True)
    option = workspace.locator("option", has_text="Acme, US")
    workspace.select_option(value=option.get_attribute("value"))
    submit(page, "Create in Recall")
    expect(page.get_by_role("button", name="Copy Recall app ID")).to_be_visible()
    app_id = urlsplit(page.url).path.rsplit("/", 1)[1]
    url = f"{demo.url}/hooks/zoom/{app_id}"
    at_zoom(demo, f"apps/{made['client_id']}", webhook_url=url, deauthorization_url=url)
    at_zoom(demo, "do/validate", client_id=made["client_id"])


def connect_page(page: Page) -> str:
    links = page.locator("a.shown-below[href*='/connect/']")
    return str(links.first.get_attribute("href"))


def test_an_admin_connects_a_whole_account_and_a_new_pmi_is_seen_on_the_open_page(
    browser: Browser, demo: Demo
) -> None:
    staff = browser.new_context()
    page = staff.new_page()
    sign_in(page, demo, "admin@example.com")
    at_zoom(demo, "users", **ADMIN)
    member = at_zoom(demo, "users", **MEMBER)
    enter(page, demo)
    url = connect_page(page)

    phone = context_of(browser, None, "phone", "light")
    visitor = phone.new_page()
    visitor.goto(url)
    expect(visitor.locator("main")).to_contain_text(re.compile("admin", re.IGNORECASE))
    assert faults_of(visitor) == []
    connect_zoom(visitor, url, ADMIN["email"])
    expect(visitor.get_by_role("heading", level=1)).to_contain_text(
        re.compile("connected", re.IGNORECASE)
    )
    assert faults_of(visitor) == []
    phone.close()

    page.goto(f"{demo.url}/connections/?q={ADMIN['email']}")
    row = page.locator("tr[id^=connection-]", has_text=APP)
    expect(row).to_contain_text("Whole account")
    row.get_by_role("link", name="Zoe Adler").click()
    expect(page.locator("#state")).to_contain_text("live API call")
    users = page.locator("#members")
    users.get_by_role("searchbox").fill("mara")
    users.get_by_role("button", name="Find").click()
    users = page.locator("#members")
    expect(users.locator("tbody tr")).to_have_count(1)
    expect(users).to_contain_text("555 700 0001")

    at_zoom(demo, f"users/{member['id']}", pmi=5557000002)

    line = "The PMI of Mara Sand changed from 555 700 0001 to 555 700 0002"
    expect(page.locator("#timeline")).to_contain_text(line, timeout=LIVE_MS)
    expect(users).to_contain_text("555 700 0002")
    expect(users).to_contain_text("before 555 700 0001")
    staff.close()
