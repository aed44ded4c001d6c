"""An open page whose line breaks, is refused, or brings what was drawn for all."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    "/webhooks/{webhook}",
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
    ids: dict[str, object] = {"app": front.app_id, "connection": CONNECTION}
    open_app(page, front)
    assert front.post_webhook(event(1)) == 200
    page.goto(f"{front.url}/webhooks/")
    link = page.locator("a[href^='/webhooks/7']").first
    ids["webhook"] = str(link.get_attribute("href")).rpartition("/")[2]

    for address in LIVE_PAGES:
        page.goto(front.url + address.format_map(ids))
        expect(page.locator("[data-live-word]")).to_have_count(1)
        expect(page.locator("[data-live-word]")).to_be_visible()
        word(page, "^Live$")
    page.goto(f"{front.url}/staff/")
    expect(page.locator("[data-live-word]")).to_be_hidden()


SIGNED_OUT = "^You are signed out. Reload the page to sign in again. Last updated "


def sign_out_one(other: Page) -> None:
    rows = other.locator("#sessions .own-factor")
    submit(other, "Sign out", within=rows.filter(has_not_text="This browser"))


def sign_out_all(other: Page) -> None:
    submit(other, "Sign out everywhere")


def sign_out_others(other: Page) -> None:
    submit(other, "Sign out everywhere else")


def change_role(other: Page) -> None:
    other.locator("input[name=role][value=support]").check()
    submit(other, "Change role")


def deactivate(other: Page) -> None:
    other.get_by_role("button", name="Deactivate user").click()
    submit(other, "Deactivate", within=other.get_by_role("dialog"))


@dataclass(frozen=True, kw_only=True)
class End:
    """A way in which another browser ends a session.

    Attributes:
        act: What is pressed there.
        email: Who is signed in there.
        says: What the page of the ended session says.
    """

    act: Callable[[Page], None]
    email: str = OTHER
    says: str = SIGNED_OUT


ENDS = {
    "own account page, one": End(act=sign_out_one, email=EMAIL),
    "own account page, others": End(act=sign_out_others, email=EMAIL),
    "an admin, one": End(act=sign_out_one),
    "an admin, all": End(act=sign_out_all),
    "another role": End(act=change_role),
    "deactivated": End(
        act=deactivate,
        says="^Your account is deactivated, so this page no longer updates. Ask an",
    ),
}


def test_a_page_whose_person_signed_out_says_so(start: Start, page: Page) -> None:
    front = start(before=fill)
    open_app(page, front)
    page.goto(f"{front.url}/connections/")
    word(page, "^Live$")

    other = page.context.new_page()
    other.goto(f"{front.url}/staff/")
    submit(other, "Sign out")

    word(page, SIGNED_OUT)


@pytest.mark.parametrize("way", ENDS)
def test_a_page_whose_session_was_ended_elsewhere_says_so(
    start: Start, page: Page, browser: Browser, way: str
) -> None:
    front, end = start(before=fill), ENDS[way]
    open_app(page, front)
    page.goto(f"{front.url}/connections/")
    word(page, "^Live$")
    typed = page.locator("input[name=q]")
    typed.fill("not sent yet")

    context = browser.new_context()
    other = context.new_page()
    open_app(other, front, email=end.email)
    if end.email == EMAIL:
        other.goto(f"{front.url}/account")
    else:
        other.goto(f"{front.url}/staff/")
        other.get_by_role("link", name=EMAIL).click()
    end.act(other)

    word(page, end.says)
    expect(typed).to_have_value("not sent yet")
    page.goto(f"{front.url}/connections/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    other.goto(f"{front.url}/connections/")
    expect(other.get_by_role("heading", level=1)).to_have_text("Connections")
    context.close()


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
