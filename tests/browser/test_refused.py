"""The refused requests in a browser: every cause readable at both widths."""

import threading
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr
from werkzeug.serving import make_server
from werkzeug.test import Client

from dashboard.app import build_runtime, create_app
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.staff import Role
from dashboard.services import audit
from dashboard.services.staff import accounts
from dashboard.settings import load
from tests.fixtures.hooks import HooksClient
from tests.fixtures.ports import free_ports
from tests.fixtures.refusals import CASES, a_stage
from tests.makers import FakeClock, saved_app

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PASSWORD = "correct horse battery"
WIDTHS = {"phone": 390, "laptop": 1280}


@pytest.fixture
def url(sqlite: Database, tmp_path: Path) -> Iterator[str]:
    """Serve a dashboard that has refused one request of each cause."""
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    settings = load(
        instance=tmp_path,
        public_url=address,
        database_url=sqlite.url.render_as_string(hide_password=False),
    )
    runtime = build_runtime(settings, listens_on=address, clock=Clock())
    app = create_app(runtime)
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault)
    accounts.add(
        runtime.database,
        email="support@example.com",
        role=Role.SUPPORT,
        password=SecretStr(PASSWORD),
        actor=audit.COMMAND_LINE,
        now=runtime.clock.now(),
    )
    door = HooksClient(
        client=Client(app, use_cookies=False),
        database=runtime.database,
        vault=runtime.vault,
        clock=FakeClock(runtime.clock.now().astimezone(UTC)),
        writer=runtime.writer,
        app_id=app_id,
    )
    stage = a_stage(door)
    for case in reversed(CASES):
        case.send(stage)
    runtime.writer.flush()
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield address
    server.shutdown()
    thread.join()
    server.server_close()
    runtime.close()


@pytest.fixture
def state(browser: Browser, url: str) -> dict[str, Any]:
    """Sign in once; return the cookies."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{url}/")
    page.get_by_label("Email").fill("support@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    found = dict(context.storage_state())
    context.close()
    return found


def test_every_cause_is_readable_on_every_screen(
    browser: Browser, url: str, state: Any, tmp_path: Path
) -> None:
    """Leaves a screenshot of each in pytest's folder."""
    for width, pixels in WIDTHS.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": pixels, "height": 900},
                color_scheme="light" if scheme == "light" else "dark",
                storage_state=state,
            )
            page = context.new_page()
            page.goto(f"{url}/webhooks/refused")
            page.screenshot(path=tmp_path / f"{width}-{scheme}.png", full_page=True)

            expect(page.locator("[id^=refusal-]")).to_have_count(len(CASES))
            assert sideways(page) == 0
            assert axe(page) == []
            context.close()


def sideways(page: Page) -> int:
    return int(
        page.evaluate(
            "document.documentElement.scrollWidth"
            " - document.documentElement.clientWidth"
        )
    )


def axe(page: Page) -> list[str]:
    # The content policy lets no inline script in; the tool's own context may.
    page.evaluate(AXE.read_text())
    found: list[str] = page.evaluate(
        "async () => (await axe.run(document, {resultTypes: ['violations']}))"
        ".violations.map((one) => one.id + ': ' + one.nodes[0].target.join(' '))"
    )
    return found
