"""Second factors in a browser, with Chromium's own virtual authenticator."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlmodel import select
from werkzeug.serving import make_server

from dashboard.app import build_runtime, create_app
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.staff import Role, StaffSession
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts
from dashboard.settings import load
from tests.browser.test_refused import axe, sideways
from tests.conftest import PASSWORD
from tests.fixtures.ports import free_ports

pytestmark = pytest.mark.browser

ADMIN = "admin@example.com"
SCREENS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]


@pytest.fixture
def served(sqlite: Database, tmp_path: Path) -> Iterator[Runtime]:
    """Serve a dashboard at localhost, where passkeys work, that demands a factor."""
    (port,) = free_ports(1)
    address = f"http://localhost:{port}"
    settings = load(
        instance=tmp_path,
        public_url=address,
        database_url=sqlite.url.render_as_string(hide_password=False),
        require_second_factor="secrets",
    )
    runtime = build_runtime(settings, listens_on=address, clock=Clock())
    app = create_app(runtime)
    accounts.add(
        runtime.database,
        email=ADMIN,
        role=Role.ADMIN,
        password=PASSWORD,
        actor=audit.COMMAND_LINE,
        now=runtime.clock.now(),
    )
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield runtime
    server.shutdown()
    thread.join()
    server.server_close()
    runtime.close()


@pytest.fixture
def context(browser: Browser, served: Runtime) -> Iterator[BrowserContext]:
    """A browser whose device makes passkeys and sees the person."""
    # A colour that is still changing has no contrast to measure.
    made = browser.new_context(base_url=served.public_url, reduced_motion="reduce")
    page = made.new_page()
    authenticator(page)
    yield made
    made.close()


def authenticator(page: Page) -> None:
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    device.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.pages[0]


def enter(page: Page, to: str = "/staff/") -> None:
    page.goto(to)
    page.get_by_label("Email").fill(ADMIN)
    page.get_by_label("Password").fill(PASSWORD.get_secret_value())
    page.get_by_role("button", name="Sign in").click()


def leave(page: Page) -> None:
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def look(page: Page, folder: Path, name: str) -> None:
    """Leave a screenshot of each screen in pytest's folder; nothing runs sideways."""
    for width, scheme in SCREENS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
        assert sideways(page) == 0
        assert axe(page) == []
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")


def codes_on(page: Page) -> list[str]:
    heading(page, "Recovery codes")
    return page.locator("pre").inner_text().split()


def age_proof(runtime: Runtime) -> None:
    """Let every proof be an hour old."""
    with runtime.database.writing() as session:
        for row in session.exec(select(StaffSession)).all():
            row.proven_at = row.created_at.replace(year=2020)
            session.add(row)


def test_a_passkey_is_set_up_and_then_signs_in_alone(
    page: Page, tmp_path: Path
) -> None:
    enter(page)
    heading(page, "Set up a second factor")
    look(page, tmp_path, "set-up")
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add a passkey").click()
    codes = codes_on(page)
    look(page, tmp_path, "codes")
    page.get_by_role("link", name="I have stored them").click()
    heading(page, "Staff")
    page.goto("/account")
    look(page, tmp_path, "account")
    expect(page.get_by_role("region", name="Passkey Laptop")).to_be_visible()
    leave(page)
    look(page, tmp_path, "sign-in")

    page.get_by_role("button", name="Use a passkey").click()
    heading(page, "Overview")
    leave(page)
    enter(page)
    heading(page, "Second factor")
    look(page, tmp_path, "second-factor")
    page.get_by_role("button", name="Use your passkey").click()
    heading(page, "Staff")
    leave(page)
    enter(page)
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    heading(page, "Staff")


def test_another_device_without_the_passkey_is_not_let_in(
    browser: Browser, page: Page, served: Runtime
) -> None:
    enter(page)
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add a passkey").click()
    codes_on(page)
    other = browser.new_context(base_url=served.public_url)
    stranger = other.new_page()
    authenticator(stranger)

    enter(stranger)
    stranger.get_by_role("button", name="Use your passkey").click()

    expect(stranger.get_by_role("alert")).to_contain_text("No passkey was used")
    stranger.goto("/staff/")
    heading(stranger, "Sign in")
    other.close()


def test_an_app_is_set_up_and_step_up_takes_its_code_or_the_passkey(
    page: Page, served: Runtime, tmp_path: Path
) -> None:
    enter(page)
    page.get_by_role("button", name="Set up an authenticator app").click()
    secret = page.locator(".copy-box code").inner_text()
    look(page, tmp_path, "app")
    page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Confirm").click()
    codes = codes_on(page)
    page.get_by_role("link", name="I have stored them").click()
    heading(page, "Staff")
    page.goto("/account/second-factor")
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add a passkey").click()
    heading(page, "Your account")

    page.goto("/staff/new")
    page.get_by_label("Email").fill("ben@example.com")
    age_proof(served)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(
        page.get_by_role("heading", name="Confirm it's you", level=1)
    ).to_be_visible()
    look(page, tmp_path, "step-up")
    page.get_by_label("Code of your authenticator app").fill("000000")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("not right")
    page.get_by_label("Code of your authenticator app").fill(codes[0])
    page.get_by_role("button", name="Continue").click()
    heading(page, "Link for ben@example.com")
    look(page, tmp_path, "link")

    age_proof(served)
    page.goto("/connections/")
    with page.expect_download() as download:
        page.goto("/account/prove?next=/connections/?format=csv")
        page.get_by_role("button", name="Use your passkey").click()
    assert download.value.suggested_filename == "connections.csv"


def test_without_script_the_app_and_the_password_work(
    browser: Browser, served: Runtime
) -> None:
    context = browser.new_context(base_url=served.public_url, java_script_enabled=False)
    page = context.new_page()
    enter(page)
    page.get_by_role("button", name="Set up an authenticator app").click()
    secret = page.locator(".copy-box code").inner_text()
    page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Confirm").click()
    codes = codes_on(page)
    leave(page)
    expect(page.get_by_role("button", name="Use a passkey")).to_have_count(0)
    enter(page)
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    heading(page, "Staff")
    context.close()
