"""From an empty dashboard and an empty simulated Zoom to a bot that recorded.

Someone who follows only what the pages say: links and buttons by their words, values
from where a page shows them. What that takes is counted and printed.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from tests.conftest import PASSWORD
from tests.fixtures.browsing import another_page
from tests.fixtures.moved_clock import EMAIL, bare

__all__ = ["bare"]

pytestmark = pytest.mark.browser

NAME = "Acme notetaker"
EVENTS = ("meeting.created", "user.updated")
SEEN_MS = 60_000


@dataclass
class Person:
    """Someone with a browser, who counts what they do.

    Attributes:
        page: What they look at.
        screens: The addresses they came to, one after another.
    """

    context: BrowserContext
    page: Page
    fields: int = 0
    clicks: int = 0
    screens: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def click(self, what: Locator) -> None:
        what.click()
        self.clicks += 1

    def press(self, name: str) -> None:
        """Press a button and come to a page."""
        with another_page(self.page):
            self.click(self.page.get_by_role("button", name=name, exact=True))
        self.look()

    def follow(self, name: str, within: Locator | None = None) -> None:
        """Follow a link, in a new tab when it opens one."""
        link = (within or self.page).get_by_role("link", name=name, exact=True).first
        if link.get_attribute("target") == "_blank":
            with self.context.expect_page() as opened:
                self.click(link)
            self.page = opened.value
            self.page.wait_for_load_state()
        else:
            with another_page(self.page):
                self.click(link)
        self.look()

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).fill(text)
        self.fields += 1

    def choose(self, label: str, option: str) -> None:
        box = self.page.get_by_label(label, exact=True)
        found = box.locator("option", has_text=option).first
        box.select_option(value=found.get_attribute("value"))
        self.fields += 1

    def tick(self, label: str) -> None:
        self.page.get_by_label(label, exact=True).check()
        self.clicks += 1

    def look(self) -> None:
        """Note the screen."""
        heading = self.page.get_by_role("heading", level=1).first.inner_text()
        if not self.screens or self.screens[-1] != heading:
            self.screens.append(heading)

    def back_to(self, tab: Page) -> None:
        self.page = tab
        tab.bring_to_front()
        self.look()

    def shown(self, label: str) -> str:
        """Return the value in a field of the page."""
        return self.page.get_by_label(label, exact=True).input_value()

    def copied(self, label: str) -> str:
        """Press a copy button; return what it copies."""
        button = self.page.get_by_role("button", name=f"Copy {label}", exact=True).first
        self.click(button)
        return str(button.get_attribute("data-copy"))

    def account(self) -> str:
        seconds = round(time.monotonic() - self.began)
        return (
            f"{len(self.screens)} screens, {self.fields} fields, {self.clicks} clicks, "
            f"{seconds} s"
        )


@pytest.fixture
def person(
    browser: Browser, bare: Runtime, running_sandbox: RunningSandbox
) -> Iterator[Person]:
    """Give an admin who has a Zoom account, a Recall account and an empty dashboard."""
    running_sandbox.zoom_world.add_user(email="ana@example.com", role_name="Owner")
    running_sandbox.recall_world.add_workspace("us-west-2")
    assert running_sandbox.zoom_world.state.apps == {}
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{bare.public_url}/")
    yield Person(context=context, page=page)
    context.close()


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    def tell(step: str) -> None:
        with capsys.disabled():
            print(f"  {step}")  # noqa: T201 - for whoever runs it

    return tell


def sign_in(person: Person) -> None:
    person.fill("Email", EMAIL)
    person.fill("Password", PASSWORD.get_secret_value())
    person.press("Sign in")
    person.follow("Add a zoom app")


def step(person: Person, key: str) -> Locator:
    return person.page.locator(f"li.step:has(#step-{key})")


def is_told(person: Person, key: str, words: str) -> None:
    """See that the page says to do this now."""
    expect(person.page.locator(f"#step-{key} .checklist-next")).to_contain_text(words)


def is_done(person: Person, key: str) -> None:
    expect(person.page.locator(f"#step-{key}")).to_have_class(
        re.compile("tone-good"), timeout=SEEN_MS
    )


def create_in_recall(person: Person) -> None:
    """Add a workspace and create the app in it, as the third step says."""
    is_told(person, "recall_app", "Choose a workspace and press Create in Recall.")
    home = person.page
    person.follow("Add a workspace")
    person.follow("Recall")
    api_key = person.page.locator("table code").first.inner_text()
    person.back_to(home)
    person.fill("Name", "Acme")
    person.choose("Region", "US, pay")
    person.fill("API key", api_key)
    person.press("Verify and save")
    person.press("Create in Recall")
    is_done(person, "recall_validated")
    expect(
        person.page.locator("#step-recall_app [data-copy]"),
        "the Recall app ID is in plain sight",
    ).to_be_visible()


def connect(person: Person) -> None:
    """Connect the own account on the connect page, and come back."""
    app_url = person.page.url
    person.follow("Open the connect page", step(person, "user"))
    person.press("Connect Zoom")
    person.press("Allow")
    expect(person.page.get_by_role("heading", level=1)).to_contain_text(
        re.compile("connected", re.IGNORECASE)
    )
    person.page.goto(app_url)
    person.look()
    is_done(person, "user")
    is_done(person, "redirect")


def meet(person: Person, zoom: Page) -> str:
    """Schedule a meeting, as the page asks; return its number."""
    home = person.page
    person.back_to(zoom)
    person.follow("Apps and users")
    person.follow("Ana Nowak")
    person.press("Create meeting")
    number = person.page.locator("#meetings .code").first.inner_text()
    person.press("Start")
    person.back_to(home)
    return number


def record(person: Person, number: str) -> None:
    """Send a test bot when the set-up is done, and see it record."""
    expect(person.page.locator("#zoom-app-progress")).to_have_text(
        "10 of 10 complete", timeout=SEEN_MS
    )
    person.follow("Send a test bot")
    person.fill("Meeting", number)
    person.press("Send test bot")
    expect(person.page.locator("section[id^=run-]").first).to_contain_text(
        "Recorded without asking", timeout=SEEN_MS
    )


def test_by_hand_following_only_what_the_pages_say(
    person: Person, told: Callable[[str], None]
) -> None:
    sign_in(person)
    person.press("Continue to scopes")
    here = person.page
    names = [one.get_attribute("title") for one in here.locator("dt code").all()]
    added = [
        name
        for name, note in zip(names, here.locator("dt").all(), strict=True)
        if "added by Zoom" not in note.inner_text() or name == "meeting:read:meeting"
    ]

    person.follow("Open your apps in Zoom")
    zoom = person.page
    person.follow("Create an app")
    person.fill("App name", NAME)
    person.press("Create")
    person.fill("Scopes, one per line", "\n".join(filter(None, added)))
    person.press("Save scopes")
    values = {
        label: person.shown(label)
        for label in ("Client ID", "Client Secret", "Secret Token")
    }

    person.back_to(here)
    person.follow("Continue to credentials")
    person.fill("Name", NAME)
    person.fill("Client ID", values["Client ID"])
    person.fill("Client secret", values["Client Secret"])
    person.fill("Secret token", values["Secret Token"])
    person.press("Verify and save")
    is_done(person, "pair")
    told(f"credentials verified: {person.account()}")

    create_in_recall(person)
    told(f"in Recall: {person.account()}")

    is_told(person, "challenge", "Paste the webhook URL in Zoom, then press Validate.")
    home, url = person.page, person.copied("webhook URL")
    person.follow("Open the app in Zoom", step(person, "challenge"))
    app_in_zoom = person.page
    person.fill("Event notification endpoint URL", url)
    person.press("Validate")
    person.back_to(home)
    is_done(person, "challenge")
    told(f"webhook URL validated: {person.account()}")

    is_told(person, "event", "Add meeting.created and user.updated in Zoom, then save.")
    person.back_to(app_in_zoom)
    for event in EVENTS:
        person.tick(event)
    person.press("Save subscription")
    person.back_to(home)
    is_told(person, "redirect", "Paste the redirect URL in Zoom, then save.")
    redirect = person.copied("redirect URL")
    person.back_to(app_in_zoom)
    person.fill("OAuth Redirect URL", redirect)
    person.press("Save redirect URL")
    person.back_to(home)
    told(f"events and redirect URL in Zoom: {person.account()}")

    connect(person)
    is_told(person, "event", "Schedule a meeting in Zoom as Ana Nowak.")
    record(person, meet(person, zoom))
    told(f"recorded, all by hand: {person.account()}")
    told("  " + " > ".join(person.screens))


def test_created_for_me_following_only_what_the_pages_say(
    person: Person, told: Callable[[str], None]
) -> None:
    sign_in(person)
    person.tick("A new one, created for you")
    person.press("Continue to scopes")
    here = person.page
    person.follow("Open your apps in Zoom")
    zoom = person.page
    person.press("Create a Server-to-Server OAuth app")
    labels = ("Account ID", "Client ID", "Client Secret")
    account_id, client_id, client_secret = map(person.shown, labels)
    person.back_to(here)
    person.fill("App name", NAME)
    person.fill("Contact person", "Ana Nowak")
    person.fill("Company", "Acme")
    person.fill("Account ID", account_id)
    person.fill("Client ID", client_id)
    person.fill("Client secret", client_secret)
    person.press("Create in Zoom")
    made = person.page
    person.follow("Open the app in Zoom")
    secret_token = person.shown("Secret Token")
    person.back_to(made)
    person.fill("Secret token", secret_token)
    person.press("Verify and finish")
    expect(person.page.get_by_text("and both events.")).to_be_visible()
    for key in ("pair", "challenge", "event", "redirect"):
        is_done(person, key)
    told(f"created, saved and compared: {person.account()}")

    create_in_recall(person)
    connect(person)
    record(person, meet(person, zoom))
    told(f"recorded, created for me: {person.account()}")
    told("  " + " > ".join(person.screens))
