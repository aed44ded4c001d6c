"""Staff pages under their own policy, for few, and by keyboard alone.

The sweep puts axe into pages and has to lift their content security policy for it; here
the policy stands, so the browser says what it refused.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo
from tests.browser.test_story import sign_in
from tests.browser.test_sweep import (
    FIXED,
    ROW_LINKS,
    WIDTHS,
    Listener,
    context_of,
    faults_of,
    first_link,
)

pytestmark = pytest.mark.browser

SIDE_BAR = ("Overview", "Zoom apps", "Connections", "Webhooks")
ACCOUNT = ("Workspaces", "Staff", "Audit log")
ROW = "[0-9a-f-]{36}"
IS_IN_PAGE = "document.activeElement !== document.body"
FOCUSED = """() => {
  const one = document.activeElement, box = one.getBoundingClientRect();
  const style = getComputedStyle(one);
  // Chromium rings the calendar button in a date field itself.
  const isPart = one.matches(":focus-within") && !one.matches(":focus");
  const words = (one.innerText || one.getAttribute("aria-label") || "").trim();
  return {
    words: words.split("\\n")[0],
    isInPage: one !== document.body,
    isSeen: (isPart || style.outlineStyle !== "none")
        && box.width > 0 && box.height > 0 && box.right > 0 && box.bottom > 0
        && box.left < innerWidth && box.top < innerHeight,
  };
}"""


@pytest.fixture(scope="module")
def states(browser: Browser, demo: Demo) -> dict[str, Any]:
    """Give the cookies of an admin and of support, each signed in once."""
    found = {}
    for role in ("admin", "support"):
        context = browser.new_context()
        sign_in(context.new_page(), demo, f"{role}@example.com")
        found[role] = context.storage_state()
        context.close()
    return found


@pytest.fixture
def admin(browser: Browser, states: dict[str, Any]) -> Iterator[Page]:
    """Give a laptop with the page's own policy in force."""
    context = browser.new_context(
        storage_state=states["admin"],
        viewport={"width": 1280, "height": 844},
        reduced_motion="reduce",  # so that the focus is in view at once
    )
    yield context.new_page()
    context.close()


def test_no_staff_page_asks_for_what_its_policy_refuses(
    demo: Demo, admin: Page
) -> None:
    listener = Listener(admin, demo)

    found = []
    for address in (*FIXED, *(listed_at for listed_at, _ in ROW_LINKS.values())):
        admin.goto(demo.url + address)
    for listed_at, pattern in ROW_LINKS.values():
        admin.goto(demo.url + listed_at)
        answer = admin.goto(demo.url + first_link(admin, pattern))
        if answer is None or "script-src 'self';" not in answer.headers.get(
            "content-security-policy", ""
        ):
            found.append(f"{admin.url} has no policy")

    assert found == []
    assert listener.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", WIDTHS)
def test_pages_outside_the_lists_are_whole(
    browser: Browser, demo: Demo, states: dict[str, Any], size: str, scheme: str
) -> None:
    found = []
    for who, addresses in {
        "admin": (
            "/connections/?state=missing_scopes",
            "/connections/?q=example&sort=name",
            first_edit(browser, demo, states["admin"], "/workspaces/"),
        ),
        "support": ("/", "/zoom-apps/", "/zoom-apps/new", "/audit/"),
        "nobody": ("/sign-in", "/webhooks/"),
    }.items():
        context = context_of(browser, states.get(who), size, scheme)
        page = context.new_page()
        for address in addresses:
            page.goto(demo.url + address)
            found += [f"{who} at {address}: {fault}" for fault in faults_of(page)]
        context.close()

    assert found == []


def first_edit(browser: Browser, demo: Demo, state: Any, listed_at: str) -> str:
    context = browser.new_context(storage_state=state)
    page = context.new_page()
    page.goto(demo.url + listed_at)
    found = first_link(page, rf"^{listed_at}{ROW}/edit$")
    context.close()
    return found


def test_tab_reaches_the_side_bar_first_and_in_reading_order(
    demo: Demo, admin: Page
) -> None:
    admin.goto(f"{demo.url}/audit/")
    brand = admin.locator(".side-brand").inner_text()
    order = ["Skip to the page", brand, *SIDE_BAR, *ACCOUNT]

    reached = tabbed(admin, len(order))

    assert [one["words"] for one in reached] == order


@pytest.mark.parametrize("size", WIDTHS)
def test_the_focus_shows_wherever_tab_goes(demo: Demo, admin: Page, size: str) -> None:
    admin.set_viewport_size({"width": WIDTHS[size], "height": 844})
    admin.goto(f"{demo.url}/zoom-apps/")
    of_an_app = first_link(admin, ROW_LINKS["zoom app"][1])

    found, stops = [], 0
    for address in ("/", "/webhooks/", "/workspaces/", "/zoom-apps/new", of_an_app):
        admin.goto(demo.url + address)
        while (one := tabbed(admin, 1)[0])["isInPage"]:
            found += [] if one["isSeen"] else [f"{address}: {one['words']}"]
            stops += 1

    assert found == []
    assert stops > 100


@pytest.mark.parametrize("entry", [*SIDE_BAR, *ACCOUNT])
def test_enter_opens_an_entry_of_the_side_bar(
    demo: Demo, admin: Page, entry: str
) -> None:
    admin.goto(f"{demo.url}/nothing-here")

    while tabbed(admin, 1)[0]["words"] != entry:
        assert admin.evaluate(IS_IN_PAGE)
    admin.keyboard.press("Enter")

    expect(admin.get_by_role("heading", level=1)).to_have_text(entry)


def test_on_a_phone_the_account_opens_by_keyboard_and_closes_by_escape(
    demo: Demo, admin: Page
) -> None:
    admin.set_viewport_size({"width": 390, "height": 844})
    admin.goto(f"{demo.url}/")
    link = admin.get_by_role("link", name="Audit log")
    expect(link).to_be_hidden()

    while tabbed(admin, 1)[0]["words"] != "Account":
        assert admin.evaluate(IS_IN_PAGE)
    admin.keyboard.press("Enter")

    expect(link).to_be_visible()
    inside = tabbed(admin, len(ACCOUNT))
    assert [one["words"] for one in inside] == list(ACCOUNT)
    assert all(one["isSeen"] for one in inside)
    admin.keyboard.press("Escape")
    expect(link).to_be_hidden()


def tabbed(page: Page, times: int) -> list[dict[str, Any]]:
    """Press Tab so often; say where the focus was each time, and whether it shows."""
    found = []
    for _ in range(times):
        page.keyboard.press("Tab")
        found.append(dict(page.evaluate(FOCUSED)))
    return found
