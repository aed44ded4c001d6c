"""On a phone no page scrolls sideways, whatever names and addresses it shows."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page
from sqlmodel import select

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.connection import (
    AttemptOutcome,
    ConnectAttempt,
    Connection,
    TokenState,
)
from dashboard.models.resend import Resend, ResendState
from dashboard.models.staff import Role, Staff
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import PageDesign, ZoomApp
from dashboard.sandbox.recall.records import Kind as RecallKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.connect.attempts import hashed
from tests.fixtures.serve import EMAIL, PASSWORD, Front
from tests.makers import (
    API_KEY,
    CLIENT_SECRET,
    NOON,
    SECRET_TOKEN,
    a_connection,
    a_webhook,
)

LONG = "Wordwithoutanyblank" * 20
LONG_EMAIL = "a" * 180 + "@" + "b" * 60 + ".example"
WIDTH = 390
MINE, OTHER = "m" * 43, "o" * 43
"""Cookies of a browser: of the connection it made, and of its last attempts."""


@pytest.fixture(scope="module")
def front(
    tmp_path_factory: pytest.TempPathFactory,
    migrated_sqlite: Path,
    running_sandbox: RunningSandbox,
) -> Iterator[Front]:
    """Run a dashboard in which every text is as long as its column."""
    running_sandbox.reset()
    recall = running_sandbox.recall_world
    own = recall.add_workspace("us-east-1", API_KEY.get_secret_value())
    for kind in RecallKind:
        recall.add_app(
            own,
            kind=kind,
            client_id=LONG[:100],
            client_secret=CLIENT_SECRET.get_secret_value(),
            webhook_secret=SECRET_TOKEN.get_secret_value(),
        )
    made = Front(
        tmp_path_factory.mktemp("narrow"),
        migrated_sqlite,
        DASHBOARD_RECALL_URL=running_sandbox.recall_url,
    ).retire()
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
        session.add(
            PageDesign(
                zoom_app_id=app.id,
                organisation=LONG[:80],
                intro=LONG[:380] + " " + LONG,
                contact=LONG_EMAIL[:200],
                changed_at=NOON,
            )
        )
        resend = Resend(
            id=1,
            asked_by=LONG_EMAIL[:254],
            query="",
            asked_at=NOON,
            state=ResendState.DONE,
        )
        session.add(resend)
        session.flush()
        connections = session.exec(select(Connection)).all()
        session.add(_attempt(app, MINE, connection_id=connections[0].id))
        for outcome in AttemptOutcome:
            row = _attempt(app, OTHER, outcome=outcome, detail=LONG)
            row.connection_id = connections[1].id
            session.add(row)
        audit.record(session, audit.COMMAND_LINE, "x", subject=LONG, now=NOON)
    database.close()
    made.start()
    yield made
    made.kill()


def _attempt(app: ZoomApp, browser: str, **values: Any) -> ConnectAttempt:
    now = Clock().now()
    return ConnectAttempt(
        **{
            "zoom_app_id": app.id,
            "state_hash": uuid4().hex,
            "browser_hash": hashed(browser),
            "outcome": AttemptOutcome.CONNECTED,
            "created_at": now,
            "expires_at": now + timedelta(days=1),
            "ended_at": now,
            **values,
        }
    )


@pytest.fixture(scope="module")
def phone(front: Front, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": WIDTH, "height": 844})
    for name in ("connect", "connected"):
        value = {"connect": OTHER, "connected": MINE}[name]
        context.add_cookies([{"name": name, "value": value, "url": front.url}])
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
        resend = session.exec(select(Resend.id)).one()
        slug = session.get_one(ZoomApp, front.app_id).slug
        mine = session.exec(
            select(ConnectAttempt.connection_id).where(
                ConnectAttempt.browser_hash == hashed(MINE)
            )
        ).one()
        results = [
            f"/connect/{slug}/result/{attempt}"
            for attempt in session.exec(select(ConnectAttempt.id))
        ]
    database.close()
    app = f"/zoom-apps/{front.app_id}"
    hosted = f"/connect/{slug}"
    return [
        *(f"{app}/production", f"{app}/edit", f"{app}/custody", f"{app}/manifest"),
        *(f"{app}/review", f"{app}/page", f"{app}/subscription"),
        *("/zoom-apps/new", "/workspaces/new", "/staff/new"),
        *("/zoom-apps/new/scopes", "/zoom-apps/new/credentials"),
        *("/zoom-apps/new/for-me", f"{app}/client-secret"),
        *(f"/webhooks/resends/{resend}", "/webhooks/resends/new"),
        f"/workspaces/{workspace}/recall-apps",
        *(hosted, f"{hosted}/mine", f"{hosted}/disconnected", *results),
        *(f"{hosted}/mine/{mine}/disconnect", f"{hosted}/i/{'x' * 43}"),
        *(f"/{LONG}", f"/connect/{LONG}", f"/zoom-apps/{LONG}"),
        f"/oauth/zoom/callback?error={LONG}&state={LONG}",
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
        assert answer.status != 500, address
        width = phone.evaluate("document.documentElement.scrollWidth")
        if width > WIDTH:
            wide.append((address, width, phone.evaluate(WIDEST)))

    assert wide == [], "\n".join(map(str, wide))


def test_the_hosted_pages_are_those_of_this_browser(front: Front, phone: Page) -> None:
    """Otherwise each of them would be the short page for another browser."""
    own = [each for each in addresses(front) if "/result/" in each or "/mine" in each]

    headings = set()
    for address in own:
        phone.goto(f"{front.url}{address}")
        headings.add(phone.locator("h1").inner_text())

    assert len(headings) > len(AttemptOutcome) / 2
    assert len(own) == len(AttemptOutcome) + 3


def test_the_apps_in_recall_do_not_scroll_sideways(front: Front, phone: Page) -> None:
    [listing] = [each for each in addresses(front) if "/recall-apps" in each]
    phone.goto(f"{front.url}{listing}")
    wide = [phone.evaluate("document.documentElement.scrollWidth")]
    rows = phone.locator("[id^=recall-app-]").count()
    links = phone.locator("a[href$='/take-over']")
    hrefs = [links.nth(n).get_attribute("href") for n in range(links.count())]
    for href in hrefs:
        phone.goto(f"{front.url}{href}")
        wide.append(phone.evaluate("document.documentElement.scrollWidth"))

    assert rows == len(hrefs) == 2
    assert wide == [WIDTH] * 3


def test_the_page_of_an_outage_does_not_scroll_sideways(
    front: Front, phone: Page
) -> None:
    moved = front.file.with_suffix(".moved")
    front.file.rename(moved)
    try:
        answer = phone.goto(f"{front.url}/connections/?q={LONG}")
        width = phone.evaluate("document.documentElement.scrollWidth")
    finally:
        moved.rename(front.file)

    assert answer is not None
    assert (answer.status, width) == (503, WIDTH)
