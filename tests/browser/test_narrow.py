"""On a phone no page scrolls sideways, whatever names and addresses it shows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from sqlmodel import select

from dashboard.db import Database
from dashboard.models.connection import Connection, TokenState
from dashboard.models.staff import Role, Staff
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from tests.fixtures.serve import EMAIL, PASSWORD, Front
from tests.makers import NOON, a_connection, a_webhook

LONG = "Wordwithoutanyblank" * 20
LONG_EMAIL = "a" * 180 + "@" + "b" * 60 + ".example"
WIDTH = 390


@pytest.fixture(scope="module")
def front(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[Front]:
    """Run a dashboard in which every text is as long as its column."""
    made = Front(tmp_path_factory.mktemp("narrow"), migrated_sqlite).retire()
    database = Database(f"sqlite:///{made.file}")
    with database.writing() as session:
        app = session.get_one(ZoomApp, made.app_id)
        app.name, app.slug = LONG[:80], "slug" * 15
        app.verdict_reason = LONG[:300]
        session.get_one(Workspace, app.workspace_id).name = LONG[:80]
        session.add(
            Staff(
                email=LONG_EMAIL,
                role=Role.SUPPORT,
                password_hash="none",
                created_at=NOON,
            )
        )
        for state in TokenState:
            session.add(
                a_connection(
                    app,
                    display_name=LONG[:200],
                    email=LONG_EMAIL,
                    zoom_user_id=f"{state}{LONG}"[:64],
                    token_state=state,
                    token_reason=LONG,
                )
            )
        session.add(a_webhook(app, event=LONG[:80], outcome_reason=LONG))
        audit.record(session, audit.COMMAND_LINE, "x", subject=LONG, now=NOON)
    database.close()
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def phone(front: Front, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": WIDTH, "height": 844})
    page = context.new_page()
    page.goto(f"{front.url}/sign-in")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{front.url}/")
    yield page
    context.close()


def addresses(front: Front) -> list[str]:
    """Return each page that shows names."""
    database = Database(f"sqlite:///{front.file}")
    with database.reading() as session:
        connection = session.exec(select(Connection.id)).first()
        workspace = session.exec(select(Workspace.id)).first()
        staff = session.exec(select(Staff.id).where(Staff.email == LONG_EMAIL)).one()
    database.close()
    app = f"/zoom-apps/{front.app_id}"
    return [
        *("/", "/zoom-apps/", app, "/connections/", f"/connections/{connection}"),
        *("/connections/invitations/", "/connections/invitations/new"),
        *("/connections/attempts/", "/connections/erasures/", "/webhooks/"),
        *("/webhooks/1", "/webhooks/refused", "/webhooks/resends", "/explain/"),
        *(f"/explain/?question={LONG_EMAIL}", "/workspaces/"),
        *(f"/workspaces/{workspace}/edit", "/staff/", f"/staff/{staff}", "/audit/"),
    ]


WIDEST = """() => [...document.querySelectorAll('body *')]
  .filter(each => each.getBoundingClientRect().right > innerWidth + 1
    && !each.closest('.tabs') && each.children.length === 0)
  .slice(0, 4).map(each => {
    const named = [];
    for (let up = each; up && up.tagName !== 'MAIN'; up = up.parentElement)
      named.unshift(up.tagName.toLowerCase() + '.' + up.className);
    const how = getComputedStyle(each);
    return [named.slice(-4).join(' > '), how.whiteSpace, how.overflowWrap].join(' ');
  })"""


def test_no_page_scrolls_sideways(front: Front, phone: Page) -> None:
    wide: list[Any] = []
    for address in addresses(front):
        answer = phone.goto(f"{front.url}{address}")
        assert answer is not None
        assert answer.status in (200, 404), address
        width = phone.evaluate("document.documentElement.scrollWidth")
        if width > WIDTH:
            wide.append((address, width, phone.evaluate(WIDEST)))

    assert wide == [], "\n".join(map(str, wide))
