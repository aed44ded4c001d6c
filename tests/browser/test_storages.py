"""Each token storage in the browser: connect, use, fail, and what Explain says then."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo
from tests.browser.test_account_level import at_zoom, connect_page
from tests.browser.test_story import connect_zoom, open_step, sign_in
from tests.browser.test_sweep import faults_of
from tests.fixtures.browsing import submit

pytestmark = pytest.mark.browser

KEY = "simulated-key-of-the-customer"
LIVE_MS = 20_000
STORAGES = {
    "recall": ("Recall", "authorized it elsewhere"),
    "dashboard": ("The dashboard", "authorized it elsewhere"),
    "own_server": ("Your own server", "less than 120 s left"),
}


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    context = browser.new_context()
    shown = context.new_page()
    sign_in(shown, demo, "admin@example.com")
    yield shown
    at_zoom(demo, "switches", customer="right")
    context.close()


def enter(page: Page, demo: Demo, name: str, label: str) -> dict[str, Any]:
    """Enter an app with this storage and create it in Recall."""
    made: dict[str, Any] = at_zoom(
        demo, "apps", name=name, redirect_url=f"{demo.url}/oauth/zoom/callback"
    )
    page.goto(f"{demo.url}/zoom-apps/new/credentials")
    page.get_by_label("Name").fill(name)
    page.get_by_label(label, exact=True).check()
    page.get_by_label("Client ID").fill(made["client_id"])
    page.get_by_label("Client secret").fill(made["client_secret"])
    page.get_by_label("Secret token").fill(made["secret_token"])
    page.get_by_role("button", name="Verify and save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    open_step(page, "Workspace in Recall")
    workspace = page.get_by_label("Workspace", exact=True)
    option = workspace.locator("option", has_text="Acme, US")
    workspace.select_option(value=option.get_attribute("value"))
    submit(page, "Create in Recall")
    expect(page.get_by_role("button", name="Copy Recall app ID")).to_be_visible()
    return made


def connect_there(page: Page, demo: Demo, client_id: str, user_id: str) -> None:
    """Enter the customer's server, and a user of it."""
    page.get_by_role("link", name="Edit credentials").click()
    page.get_by_role("link", name="Your token server").click()
    base = f"{demo.zoom_url}/customer/{client_id}/token"
    page.get_by_label("Callback URL").fill(f"{base}?user={{user}}&auth_token={KEY}")
    page.get_by_role("button", name="Save").click()
    assert faults_of(page) == []
    page.get_by_label("User", exact=True).fill(user_id)
    page.get_by_role("button", name="Test and register").click()
    expect(page.get_by_text("Registered at Recall, and checked.")).to_be_visible()
    assert faults_of(page) == []


def connect_here(page: Page, browser: Browser, demo: Demo, email: str) -> None:
    """Let the user connect on the hosted page; open the connection."""
    phone = browser.new_context()
    visitor = phone.new_page()
    connect_zoom(visitor, connect_page(page), email)
    phone.close()
    page.goto(f"{demo.url}/connections/?q={email}")
    page.locator("tr[id^=connection-]").get_by_role("link").first.click()


@pytest.mark.parametrize("storage", STORAGES)
def test_a_storage_from_the_first_token_to_its_failure(
    page: Page, browser: Browser, demo: Demo, storage: str
) -> None:
    label, reason = STORAGES[storage]
    email = f"{storage.replace('_', '.')}@storages.example.com"
    user = at_zoom(demo, "users", email=email, first_name="Sto", last_name=storage)
    app = enter(page, demo, f"Storage {storage}", label)
    is_own = storage == "own_server"
    if is_own:
        connect_there(page, demo, app["client_id"], user["id"])
    else:
        connect_here(page, browser, demo, email)
    expect(page.locator("#state")).to_contain_text("Healthy", timeout=LIVE_MS)
    expect(page.locator("#state")).to_contain_text("API call")

    if is_own:
        at_zoom(demo, "switches", customer="ends_soon")
    else:
        who = {"client_id": app["client_id"], "user_id": user["id"]}
        at_zoom(demo, "do/revoke_grant", **who)
    page.get_by_role("button", name="Check now").click()
    expect(page.locator("#state")).to_contain_text(reason, timeout=LIVE_MS)

    page.get_by_role("link", name="Explain").last.click()
    expect(page.locator("main")).to_contain_text(reason)
    whose = "an admin" if is_own else "the user"
    expect(page.locator("main")).to_contain_text(f"Action needed by {whose}")


def test_the_hosted_page_of_an_own_server_is_off(
    page: Page, browser: Browser, demo: Demo
) -> None:
    enter(page, demo, "Storage elsewhere", STORAGES["recall"][0])
    url = connect_page(page)
    app_id = page.url.rpartition("/")[2].partition("#")[0]
    page.goto(f"{demo.url}/zoom-apps/{app_id}/custody?to=own_server")
    page.get_by_role("button", name="Tokens are on your own server").click()
    expect(page.get_by_text("Enter its callback URL.")).to_be_visible()
    phone = browser.new_context()
    visitor = phone.new_page()

    visitor.goto(url)

    expect(visitor.locator("main")).to_contain_text("in the product that you use")
    assert faults_of(visitor) == []
    phone.close()
