"""A new admin, a phone's width, no pointer: from nothing to all that can be seen."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as NothingCameError

from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from tests.conftest import PASSWORD
from tests.fixtures.moved_clock import EMAIL, bare

__all__ = ["bare"]

pytestmark = pytest.mark.browser

_MOST_STOPS = 80
_FOCUSED = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return "";
  const label = e.labels?.[0]?.innerText ?? "";
  return (e.getAttribute("aria-label") ?? (label || e.innerText || "")).trim();
}"""


_IN_SIGHT = """() => {
  const b = document.activeElement.getBoundingClientRect();
  return b.width > 0 && b.left >= 0 && b.right <= innerWidth
    && b.bottom > 0 && b.top < innerHeight;
}"""
_SCROLLS_WITHIN_MS = 20_000
_LEADS_WITHIN_MS = 10_000


class Keyboard:
    """Someone who reaches everything by Tab, as far as it can be reached."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.stops = 0

    def reach(self, name: str) -> None:
        """Press Tab until what is named so has the focus, and see that it shows."""
        wanted = re.compile(name)
        seen = []
        for _ in range(_MOST_STOPS):
            self.page.keyboard.press("Tab")
            self.stops += 1
            found = self.page.evaluate(_FOCUSED)
            seen.append(found)
            if wanted.fullmatch(found):
                self.page.wait_for_function(_IN_SIGHT, timeout=_SCROLLS_WITHIN_MS)
                return
        pytest.fail(f"Tab never comes to {name}: {seen}")

    def fill(self, label: str, text: str) -> None:
        self.reach(label)
        self.page.keyboard.type(text)

    def press(self, name: str) -> None:
        self.reach(name)
        try:
            self.enter()
        except NothingCameError:  # the page was drawn anew between the two keys
            self.reach(name)
            self.enter()

    def enter(self) -> None:
        """Press Enter, which leads to a page."""
        with self.page.expect_event("framenavigated", timeout=_LEADS_WITHIN_MS):
            self.page.keyboard.press("Enter")
        self.page.wait_for_load_state()


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    yield context.new_page()
    context.close()


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    def tell(step: str) -> None:
        with capsys.disabled():
            print(f"  {step}")  # noqa: T201 - for whoever runs it

    return tell


def test_a_new_admin_gets_from_nothing_to_all_ticks_by_keyboard_on_a_phone(
    bare: Runtime,
    running_sandbox: RunningSandbox,
    phone: Page,
    told: Callable[[str], None],
) -> None:
    zoom, recall = running_sandbox.zoom_world, running_sandbox.recall_world
    at_zoom = zoom.add_app(
        name="First app",
        redirect_url=f"{bare.public_url}/oauth/zoom/callback",
        events=["meeting.created", "user.updated"],
    )
    workspace = recall.add_workspace("us-west-2")
    ana = zoom.add_user(email="ana@example.com")
    keys = Keyboard(phone)

    phone.goto(f"{bare.public_url}/")
    keys.fill("Email", EMAIL)
    keys.fill("Password", PASSWORD.get_secret_value())
    keys.enter()
    expect(phone.get_by_role("heading", level=1)).to_have_text("Overview")
    keys.press("Add a zoom app")
    keys.press("Continue to scopes")
    keys.press("Continue to credentials")
    keys.fill("Name", "First app")
    keys.fill("Client ID", at_zoom.client_id)
    keys.fill("Client secret", at_zoom.client_secret)
    keys.fill("Secret token", at_zoom.secret_token)
    keys.press("Verify and save")
    app_url = phone.url
    told(f"entered after {keys.stops} stops")

    keys.press("Add a workspace")
    keys.fill("Name", "Ours")
    keys.reach("Region")
    phone.keyboard.type("US, pay")
    keys.fill("API key", workspace.api_key)
    keys.press("Verify and save")
    expect(phone).to_have_url(re.compile(rf"{re.escape(app_url)}\?workspace="))
    keys.press("Create in Recall")
    told(f"in Recall after {keys.stops} stops")

    url = f"{bare.public_url}/hooks/zoom/{app_url.rpartition('/')[2]}"
    zoom.validate(at_zoom.client_id, url)
    expect(phone.locator("#ours")).to_have_attribute("data-state", "valid")
    expect(phone.locator("#recalls")).to_have_attribute("data-state", "valid")
    keys.press("Open the connect page")
    keys.press("Connect Zoom")
    keys.reach("Signed in as")
    keys.press("Allow")
    told(f"connected after {keys.stops} stops")
    zoom.create_meeting(ana.id)
    phone.goto(app_url)

    expect(phone.locator("#zoom-app-progress")).to_have_text(
        "10 of 10 complete", timeout=60_000
    )
    told(f"all ticks after {keys.stops} stops of the Tab key")
