"""An open page whose line breaks, is refused, or brings what was drawn for all."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from dashboard.db import Database
from dashboard.models.staff import Role
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.staff import accounts
from dashboard.settings import parse_keys
from dashboard.vault import Vault
from tests.fixtures.browsing import submit
from tests.fixtures.hooks import event
from tests.fixtures.serve import EMAIL, LONG_S, PASSWORD, Front
from tests.makers import NOON, a_connection, a_workspace

pytestmark = pytest.mark.browser

WITHIN_MS = 60_000
OTHER = "other@example.com"
CONNECTION = uuid4()
Start = Callable[..., Front]


@pytest.fixture
def start(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Start]:
    made: list[Front] = []

    def begin(
        *, before: Callable[[Front], None] = lambda _: None, **settings: str
    ) -> Front:
        made.append(Front(tmp_path, migrated_sqlite, **settings))
        before(made[-1])
        return made[-1].start()

    yield begin
    for each in made:
        each.kill()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def put_in_recall(front: Front) -> None:
    """Give the zoom app what an admin needs to be offered a probe."""
    database = Database(f"sqlite:///{front.file}")
    vault = Vault(parse_keys(front.key))
    with database.writing() as session:
        workspace = a_workspace(vault)
        session.add(workspace)
        session.flush()
        app = session.get_one(ZoomApp, front.app_id)
        app.workspace_id, app.recall_app_id = workspace.id, uuid4()
    database.close()


def open_app(page: Page, front: Front, email: str = EMAIL) -> list[str]:
    """Open the zoom app's page; return where its requests go, as they come."""
    page.goto(f"{front.url}/sign-in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    submit(page, "Sign in")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{front.url}/zoom-apps/{front.app_id}")
    return asked


def word(page: Page, words: str) -> None:
    mark = page.locator("[data-live-word]").first
    expect(mark).to_have_text(re.compile(words), timeout=WITHIN_MS)


def arrived(page: Page, number: int) -> None:
    seen = page.locator("#zoom-app-seen").get_by_text("meeting.created")
    expect(seen).to_have_count(number, timeout=WITHIN_MS)


def test_a_page_that_got_no_place_says_so_and_asks(start: Start, page: Page) -> None:
    front = start(DASHBOARD_LIVE_STREAMS="0")
    open_app(page, front)

    word(
        page,
        r"^Live updates unavailable; refreshing every 15 s. Last updated [\d:]{8}$",
    )
    assert front.post_webhook(event(1)) == 200

    arrived(page, 1)
    word(page, "^Live updates unavailable")


LIVE_PAGES = (
    "/",
    "/zoom-apps/{app}",
    "/webhooks/",
    "/webhooks/refused",
    "/connections/",
    "/connections/{connection}",
)


def fill(front: Front) -> None:
    """Add another admin, and a connected user."""
    database = Database(f"sqlite:///{front.file}")
    accounts.add(
        database,
        email=OTHER,
        role=Role.ADMIN,
        password=SecretStr(PASSWORD),
        actor=audit.COMMAND_LINE,
        now=NOON,
    )
    with database.writing() as session:
        app = session.get_one(ZoomApp, front.app_id)
        session.add(a_connection(app, id=CONNECTION))
    database.close()


def test_the_layout_marks_each_page_with_a_live_region(
    start: Start, page: Page
) -> None:
    front = start(before=fill)
    ids = {"app": front.app_id, "connection": CONNECTION}
    open_app(page, front)

    for address in LIVE_PAGES:
        page.goto(front.url + address.format_map(ids))
        expect(page.locator("[data-live-word]")).to_have_count(1)
        expect(page.locator("[data-live-word]")).to_be_visible()
        word(page, "^Live$")
    page.goto(f"{front.url}/staff/")
    expect(page.locator("[data-live-word]")).to_be_hidden()


def test_a_page_of_a_deactivated_account_says_so(
    start: Start, page: Page, browser: Browser
) -> None:
    front = start(before=fill)
    open_app(page, front)
    page.goto(f"{front.url}/connections/")
    word(page, "^Live$")

    context = browser.new_context()
    other = context.new_page()
    open_app(other, front, email=OTHER)
    other.goto(f"{front.url}/staff/")
    other.get_by_role("link", name=EMAIL).click()
    other.get_by_role("button", name="Deactivate user").click()
    submit(other, "Deactivate", within=other.get_by_role("dialog"))
    context.close()

    word(page, "^Your account is deactivated, so this page no longer updates. Ask an")


def test_a_page_outlives_a_restart_and_is_brought_what_it_missed(
    start: Start, page: Page
) -> None:
    front = start()
    asked = open_app(page, front)
    word(page, "^Live$")
    assert front.post_webhook(event(1)) == 200
    arrived(page, 1)

    front.stop()
    assert front.ends_by_itself(LONG_S)
    word(page, "^Reconnecting… Last updated ")
    front.start()
    assert front.post_webhook(event(2)) == 200

    word(page, "^Live$")
    arrived(page, 2)
    assert not [each for each in asked if each.endswith("/validation")]


def test_what_is_brought_has_the_pages_own_form_token(start: Start, page: Page) -> None:
    front = start(before=put_in_recall)
    asked = open_app(page, front)
    word(page, "^Live$")

    assert front.post_webhook(event(1)) == 200
    arrived(page, 1)

    assert not [each for each in asked if each.endswith("/validation")]
    submit(page, "Test now", within=page.locator("#recalls"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Notetaker")
    expect(page.get_by_role("heading", name="400")).to_have_count(0)
    assert page.url == f"{front.url}/zoom-apps/{front.app_id}"


def test_what_is_brought_leaves_the_focus_where_it_was(
    start: Start, page: Page
) -> None:
    front = start(before=put_in_recall)
    open_app(page, front)
    word(page, "^Live$")
    button = page.locator("#recalls").get_by_role("button", name="Test now")
    button.focus()
    button.evaluate("each => each.dataset.mine = 'yes'")

    assert front.post_webhook(event(1)) == 200
    arrived(page, 1)

    expect(page.locator("[data-mine]")).to_have_count(0)  # it was replaced
    expect(button).to_be_focused()
