"""Every page, at both widths and in both themes: nothing clipped, hidden or foreign."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
)

from tests.browser.conftest import Demo
from tests.browser.test_story import sign_in

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
WIDTHS = {"phone": 390, "laptop": 1280}
ROW_LINKS = {
    "zoom app": ("/zoom-apps/", r"^/zoom-apps/[0-9a-f-]{36}$"),
    "connection": ("/connections/?state=healthy", r"^/connections/[0-9a-f-]{36}$"),
    "reconnect": (
        "/connections/?state=reconnect_needed",
        r"^/connections/[0-9a-f-]{36}$",
    ),
    "delivered": ("/webhooks/?outcome=delivered", r"^/webhooks/\d+$"),
    "dead": ("/webhooks/?outcome=dead", r"^/webhooks/\d+$"),
    "waiting": ("/webhooks/?outcome=waiting", r"^/webhooks/\d+$"),
    "person": ("/staff/", r"^/staff/[0-9a-f-]{36}$"),
}
FIXED = [
    *("/", "/zoom-apps/", "/zoom-apps/new", "/workspaces/", "/workspaces/new"),
    *("/zoom-apps/new/scopes", "/zoom-apps/new/credentials", "/zoom-apps/new/for-me"),
    *("/connections/", "/connections/?q=nobody", "/connections/erasures"),
    *("/connections/attempts/", "/connections/attempts/?outcome=declined"),
    *("/connections/invitations/", "/connections/invitations/new"),
    *("/webhooks/", "/webhooks/refused", "/webhooks/?meeting_id=1"),
    *("/staff/", "/staff/new", "/audit/", "/nothing-here"),
    *("/explain/", "/explain/?id=00000000-0000-0000-0000-000000000000"),
]
MEASURE = """() => ({
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  headings: document.querySelectorAll("h1").length,
  title: document.title,
  inline: document.querySelectorAll(
      "[style], style, script:not([src]), [onclick], [onload]").length,
  formless: [...document.forms].filter((form) =>
      form.method === "post" && !form.querySelector("[name=csrf_token]")).length,
})"""
RUN_AXE = """async () => (await axe.run(document, {
  resultTypes: ["violations"],
})).violations.map((one) => one.id + ": " + one.nodes[0].target.join(" "))"""


@pytest.fixture(scope="module")
def signed_in(browser: Browser, demo: Demo) -> Iterator[dict[str, Any]]:
    """Give an admin's cookies, got by signing in once."""
    context = browser.new_context()
    sign_in(context.new_page(), demo, "admin@example.com")
    yield dict(context.storage_state())
    context.close()


@pytest.fixture(scope="module")
def addresses(browser: Browser, demo: Demo, signed_in: dict[str, Any]) -> list[str]:
    """List every staff page, with a row of each sort out of the demo's story."""
    context = context_of(browser, signed_in, "laptop", "light")
    page = context.new_page()
    found = []
    for listed_at, pattern in ROW_LINKS.values():
        page.goto(demo.url + listed_at)
        hrefs = page.eval_on_selector_all(
            "main a[href]", "all => all.map((a) => a.getAttribute('href'))"
        )
        found.append(next(href for href in hrefs if re.match(pattern, href)))
    page.goto(f"{demo.url}/workspaces/")
    in_recall = first_link(page, r"/recall-apps$")
    page.goto(demo.url + in_recall)
    by_hand = first_link(page, r"/take-over$")
    page.goto(f"{demo.url}{found[0]}/production")
    move = urlsplit(page.url).path
    context.close()
    of_app = ("edit", "custody", "manifest", "subscription", "review", "page")
    return [
        *(*FIXED, *found, in_recall, by_hand),
        *(f"{found[0]}/{name}" for name in of_app),
        *(move, f"{move}?show=all", f"{move}?q=nobody"),
        *(f"/explain/?id={path.rsplit('/')[-1]}" for path in found[1:-1]),
    ]


def context_of(browser: Browser, state: Any, size: str, scheme: Any) -> BrowserContext:
    return browser.new_context(
        storage_state=state,
        viewport={"width": WIDTHS[size], "height": 844},
        color_scheme=scheme,
        bypass_csp=True,  # for axe alone, which is put into the page
    )


class Listener:
    """What a page says and asks for besides what is looked at."""

    def __init__(self, page: Page, demo: Demo) -> None:
        self.faults: list[str] = []
        self._hosts = {urlsplit(demo.url).netloc}
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        # A page that is 404 on purpose is told of by the browser as an error.
        if message.type == "error" and "404" not in message.text:
            self.faults.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme.startswith("http") and parts.netloc not in self._hosts:
            self.faults.append(f"asks another host: {request.url}")


def faults_of(page: Page) -> list[str]:
    measured = page.evaluate(MEASURE)
    page.evaluate(AXE.read_text())
    return [
        *(f"axe {one}" for one in page.evaluate(RUN_AXE)),
        *([f"{measured['wide']} px too wide"] if measured["wide"] > 0 else []),
        *([f"{measured['headings']} h1"] if measured["headings"] != 1 else []),
        *(["no title"] if not measured["title"].strip() else []),
        *([f"{measured['inline']} inline"] if measured["inline"] else []),
        *(["a form without its token"] if measured["formless"] else []),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", WIDTHS)
def test_every_staff_page_is_whole_and_reachable_by_all(  # noqa: PLR0917 - fixtures
    browser: Browser,
    demo: Demo,
    signed_in: dict[str, Any],
    addresses: list[str],
    size: str,
    scheme: str,
) -> None:
    context = context_of(browser, signed_in, size, scheme)
    page = context.new_page()
    listener = Listener(page, demo)

    found = []
    for address in addresses:
        page.goto(demo.url + address)
        found += [f"{address}: {fault}" for fault in faults_of(page)]

    context.close()
    assert found == []
    assert listener.faults == []
    assert len(addresses) > 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_a_stranger_is_whole_on_a_phone(
    browser: Browser, demo: Demo, signed_in: dict[str, Any], scheme: str
) -> None:
    staff = context_of(browser, signed_in, "laptop", "light")
    page = staff.new_page()
    connect = connect_address(page, demo)
    staff.close()
    context = context_of(browser, None, "phone", scheme)
    page = context.new_page()

    found = []
    for address in (
        f"{demo.url}/sign-in",
        connect,
        f"{connect}/mine",
        f"{connect}/disconnected",
        f"{connect}/i/nobody-knows-this",
        f"{demo.url}/connect/nobody-knows-this",
        f"{demo.url}/oauth/zoom/callback?code=x",
        f"{demo.url}/oauth/zoom/callback?code=x&state=never-made",
    ):
        page.goto(address)
        found += [f"{address}: {fault}" for fault in faults_of(page)]

    context.close()
    assert found == []


def connect_address(page: Page, demo: Demo) -> str:
    """Return the connect page of the demo's own production app, as staff see it.

    By name: other tests add apps and connections to the same demo, in any order.
    """
    page.goto(f"{demo.url}/zoom-apps/")
    page.get_by_role("link", name="Notetaker", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Notetaker")
    return first_link(page, r"/connect/")


def first_link(page: Page, pattern: str) -> str:
    hrefs = page.eval_on_selector_all(
        "a[href]", "all => all.map((a) => a.getAttribute('href'))"
    )
    return str(next(href for href in hrefs if re.search(pattern, href)))


def test_a_first_visit_and_a_later_page_stay_within_the_budget(
    browser: Browser, demo: Demo, signed_in: dict[str, Any]
) -> None:
    context = browser.new_context(storage_state=signed_in)  # type: ignore[arg-type]  # as Playwright gave it
    page = context.new_page()
    sent: list[int] = []
    page.on(
        "requestfinished",
        lambda request: sent.append(sum_of(request)),
    )

    page.goto(f"{demo.url}/", wait_until="networkidle")
    first = sum(sent)
    with page.expect_request_finished(
        lambda request: request.is_navigation_request()
    ) as document:
        page.goto(f"{demo.url}/webhooks/")
    later = sum_of(document.value)  # everything else is in the browser's cache

    context.close()
    assert 0 < first <= 120_000
    assert 0 < later <= 15_000


def sum_of(request: Request) -> int:
    sizes = request.sizes()
    return int(sizes["responseBodySize"]) + int(sizes["responseHeadersSize"])


def test_the_keyboard_alone_reaches_a_webhook(browser: Browser, demo: Demo) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{demo.url}/")

    expect(page.get_by_label("Email")).to_be_focused()
    page.keyboard.type("admin@example.com")
    page.keyboard.press("Tab")
    page.keyboard.type(demo.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    press_until(page, "Webhooks")
    page.wait_for_url(f"{demo.url}/webhooks/")
    press_until(page, "meeting.created")

    page.wait_for_url(re.compile(r"/webhooks/\d+$"))
    context.close()


def press_until(page: Page, words: str) -> None:
    """Press Tab until the focus is on a link with these words, visibly; then Enter."""
    focused = "document.activeElement?.innerText?.trim() ?? ''"
    outlined = "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate(focused) == words:
            assert page.evaluate(outlined)
            page.keyboard.press("Enter")
            return
    pytest.fail(f"Tab never reaches {words}")
