"""The main job from sign-in to a forwarded webhook, told by a real browser.

Against `dashboard demo`: the dashboard, the simulated Zoom and the simulated Recall are
three servers, and the browser does what a person would.
"""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Demo
from tests.fixtures.browsing import submit

pytestmark = pytest.mark.browser

APP = "Third notetaker"
SCOPES = (
    *("meeting:read:local_recording_token", "meeting:read:list_meetings"),
    *("meeting:read:meeting", "user:read:user"),
)
SOON_MS = 20_000  # how soon is for test_validation.py, which has the machine to itself


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a step of the story, also when the test passes."""

    def tell(step: str) -> None:
        with capsys.disabled():
            print(f"  {step}")  # noqa: T201 - the story is told to whoever runs it

    return tell


def sign_in(page: Page, demo: Demo, email: str) -> None:
    page.goto(f"{demo.url}/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def make_zoom_app(zoom: Page, demo: Demo) -> dict[str, str]:
    """Make an app in the simulated Marketplace; return what its page shows."""
    zoom.goto(f"{demo.zoom_url}/marketplace/new")
    zoom.get_by_label("App name").fill(APP)
    zoom.get_by_role("button", name="Create").click()
    expect(zoom.get_by_role("heading", level=1)).to_have_text(APP)
    zoom.get_by_label("Scopes, one per line", exact=True).fill("\n".join(SCOPES))
    submit(zoom, "Save scopes")
    return {
        label: zoom.get_by_label(label, exact=True).input_value()
        for label in ("Client ID", "Client Secret", "Secret Token")
    } | {"url": zoom.url}


def enter_zoom_app(page: Page, demo: Demo, values: dict[str, str]) -> None:
    page.goto(f"{demo.url}/zoom-apps/new/credentials")
    page.get_by_label("Name").fill(APP)
    page.get_by_label("Client ID").fill(f"  {values['Client ID']} ")
    page.get_by_label("Client secret").fill(values["Client Secret"])
    page.get_by_label("Secret token").fill(values["Secret Token"])
    page.get_by_role("button", name="Verify and save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(APP)


def enter_wrong_pair(page: Page, demo: Demo, values: dict[str, str]) -> None:
    page.goto(f"{demo.url}/zoom-apps/new/credentials")
    page.get_by_label("Name").fill(APP)
    page.get_by_label("Client ID").fill(values["Client ID"])
    page.get_by_label("Client secret").fill("not-the-right-secret")
    page.get_by_label("Secret token").fill(values["Secret Token"])
    page.get_by_role("button", name="Verify and save").click()
    expect(page.get_by_text("Zoom rejected this client ID").first).to_be_visible()
    expect(page.get_by_label("Client ID")).to_have_value(values["Client ID"])
    expect(page.get_by_label("Client secret")).to_have_value("")


def create_in_recall(page: Page, demo: Demo) -> None:
    app_url = page.url
    page.goto(f"{demo.url}/workspaces/new")
    page.get_by_label("Name").fill("Story workspace")
    page.get_by_label("Region").select_option("us-west-2")
    page.get_by_label("API key").fill(demo.spare_api_key)
    page.get_by_role("button", name="Verify and save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Workspaces")
    page.goto(app_url)
    open_step(page, "Workspace in Recall")
    workspace = page.get_by_label("Workspace", exact=True)
    option = workspace.locator("option", has_text="Story workspace")
    workspace.select_option(value=option.get_attribute("value"))
    submit(page, "Create in Recall")
    expect(page.get_by_role("button", name="Copy Recall app ID")).to_be_visible()


def open_step(page: Page, summary: str) -> None:
    details = page.locator("details", has=page.get_by_text(summary, exact=True))
    if details.first.get_attribute("open") is None:
        details.first.locator("summary").first.click()


def shown_url(page: Page, label: str) -> str:
    """Return the URL beside a copy button, after pressing it."""
    button = page.get_by_role("button", name=f"Copy {label}", exact=True).first
    button.click()
    expect(button).to_have_text(re.compile("Copied"))
    return str(page.evaluate("navigator.clipboard.readText()"))


def validate_at_zoom(zoom: Page, app_url: str, url: str) -> None:
    zoom.goto(app_url)
    zoom.get_by_label("Event notification endpoint URL").fill(url)
    for event in ("meeting.created", "user.updated"):
        zoom.get_by_label(event).check()
    zoom.get_by_role("button", name="Validate").click()


def connect_zoom(visitor: Page, connect_url: str, user: str) -> None:
    visitor.goto(connect_url)
    expect(visitor.get_by_text("What we can access, and why")).to_be_visible()
    visitor.get_by_role("button", name="Connect Zoom").click()
    who = visitor.get_by_label("Signed in as")
    option = who.locator("option", has_text=user)
    who.select_option(value=option.get_attribute("value"))
    visitor.get_by_role("button", name="Allow").click()


def test_the_main_job_from_nothing_to_a_forwarded_webhook(  # noqa: PLR0915 - one story
    browser: Browser, demo: Demo, told: Callable[[str], None]
) -> None:
    staff = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page, zoom = staff.new_page(), staff.new_page()

    sign_in(page, demo, "admin@example.com")
    told("1. The demo runs; the admin signed in.")

    values = make_zoom_app(zoom, demo)
    enter_wrong_pair(page, demo, values)
    enter_zoom_app(page, demo, values)
    expect(
        page.get_by_text(re.compile("White space", re.IGNORECASE)).first
    ).to_be_visible()
    app_url = page.url
    told("2. A wrong pair was refused and explained, the right one saved, trimmed.")

    create_in_recall(page, demo)
    told("3. Workspace added, key checked, app created in Recall, its id shown.")

    page.goto(app_url)
    open_step(page, "URL to paste, and what it is for")
    webhook_url = shown_url(page, "webhook URL")
    assert re.fullmatch(rf"{demo.url}/hooks/zoom/[0-9a-f-]{{36}}", webhook_url)
    expect(page.locator("#ours")).not_to_have_attribute("data-state", "valid")
    validate_at_zoom(zoom, values["url"], webhook_url)
    expect(page.locator("#ours")).to_have_attribute(
        "data-state", "valid", timeout=SOON_MS
    )
    expect(page.locator("#ours")).to_contain_text("ms")
    expect(page.locator("#step-challenge")).to_have_class(re.compile("tone-good"))
    # The page leads on by itself: what comes next is open; what is read stays open.
    for step in ("event", "redirect", "user"):
        expect(page.locator(f"details[data-of={step}]")).to_have_attribute("open", "")
    expect(page.locator("details[data-of=challenge]")).to_have_attribute("open", "")
    expect(page.locator("main .btn-primary:visible")).to_have_text(
        "Open the connect page"
    )
    told("4. Validate pressed at Zoom: the page turned valid by itself.")

    open_step(page, "Redirect URL to paste")
    redirect_url = shown_url(page, "redirect URL")
    connect_url = shown_url(page, "connect page link")
    zoom.goto(values["url"])
    zoom.get_by_label("OAuth Redirect URL").fill(redirect_url)
    submit(zoom, "Save redirect URL")
    phone = browser.new_context(viewport={"width": 390, "height": 844})
    visitor = phone.new_page()
    connect_zoom(visitor, connect_url, "ana.nowak@example.com")
    expect(visitor.get_by_role("heading", level=1)).to_contain_text(
        re.compile("connected", re.IGNORECASE)
    )
    assert "code=" not in visitor.url
    told("5. A user connected on a phone-sized page; no code is left in the address.")

    page.goto(f"{demo.url}/connections/?q=ana.nowak@example.com")
    row = page.locator("tr[id^=connection-]", has_text=APP)
    expect(row).to_contain_text("Ana Nowak")
    expect(row).to_contain_text("Healthy")
    row.get_by_role("link", name="Ana Nowak").click()
    page.wait_for_url(re.compile(r"/connections/[0-9a-f-]{36}$"))
    connection_url = page.url
    told("6. The connection shows name, e-mail, Zoom user id, PMI and token state.")

    log = staff.new_page()
    log.goto(f"{demo.url}/webhooks/")
    meeting = create_meeting(zoom, demo)
    arrived = log.locator("tr[id^=webhook-]", has_text=APP).filter(has_text=meeting)
    expect(arrived).to_contain_text("Delivered", timeout=SOON_MS)
    told(f"7. Meeting {meeting} arrived in the open log by itself and was delivered.")
    arrived.get_by_role("link", name="meeting.created").click()
    expect(log.get_by_role("heading", level=1)).to_contain_text("meeting.created")
    expect(log.get_by_text("SHA-256").first).to_be_visible()
    expect_mapping(page, connection_url, meeting)
    told("   Recall's mapping of it is shown on the connection.")

    page.goto(app_url)
    expect(page.locator("#zoom-app-progress")).to_have_text(
        "10 of 10 complete", timeout=30_000
    )
    page.reload()
    expect(page.locator("main details[open]")).to_have_count(0)
    expect(page.locator("main .btn-primary:visible")).to_have_text("Send a test bot")
    told("   Every tick of the set-up came by itself.")

    check_support(browser.new_context(), demo, app_url)
    told("8. Support reads the log and connections; the rest is closed to it.")
    for context in (staff, phone):
        context.close()


def create_meeting(zoom: Page, demo: Demo) -> str:
    """Make a meeting as Ana; return its number as the dashboard writes it."""
    zoom.goto(f"{demo.zoom_url}/marketplace/")
    zoom.get_by_role("link", name="Ana Nowak").click()
    topic = zoom.get_by_label("Topic", exact=True)
    expect(topic).to_be_visible()  # else the numbers are those of the page before
    before = set(numbers(zoom))
    topic.fill("Story meeting 🚒")
    submit(zoom, "Create meeting")
    (made,) = set(numbers(zoom)) - before
    return f"{made[:3]} {made[3:7]} {made[7:]}"


def numbers(zoom: Page) -> list[str]:
    return re.findall(r"New topic of (\d+)", zoom.content())


def expect_mapping(page: Page, connection_url: str, meeting: str) -> None:
    page.goto(connection_url)
    expect(page.get_by_text(meeting).first).to_be_visible(timeout=30_000)


def check_support(context: BrowserContext, demo: Demo, app_url: str) -> None:
    page = context.new_page()
    sign_in(page, demo, "support@example.com")
    for path in ("/webhooks/", "/connections/"):
        answer = page.goto(f"{demo.url}{path}")
        assert answer is not None
        assert answer.status == 200
    for path in ("/staff/", "/audit/", "/workspaces/", "/zoom-apps/new"):
        answer = page.goto(f"{demo.url}{path}")
        assert answer is not None
        assert answer.status == 403
    page.goto(app_url)
    expect(page.get_by_role("link", name="Edit credentials")).to_have_count(0)
    expect(page.get_by_role("link", name="Staff")).to_have_count(0)
    context.close()
