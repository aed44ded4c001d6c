"""Single sign-on in a browser, with `dashboard serve` and `dashboard sandbox`."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, Page, Response, expect

from dashboard.services.staff.single_sign_on import CALLBACK_PATH
from tests.fixtures.browsing import submit
from tests.fixtures.identity_provider import CLIENT_ID, CLIENT_SECRET
from tests.fixtures.ports import free_ports
from tests.fixtures.serve import EMAIL, PASSWORD, Front

pytestmark = pytest.mark.browser

BUTTON = "Sign in with Example"
ISSUER = re.compile(r"issuer\): (\S+)")


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A running `dashboard sandbox`: its identity provider."""

    issuer: str

    def set(self, what: str, body: object) -> None:
        """Ask its control for something."""
        answer = httpx2.post(f"{self.issuer}/_sandbox/{what}", json=body)
        assert answer.status_code == 200, answer.text


@pytest.fixture
def provider() -> Iterator[Provider]:
    (oidc_port,) = free_ports(1)
    command = [
        *(sys.executable, "-u", "-m", "dashboard.cli", "sandbox", "--empty"),
        *("--zoom-port", "0", "--recall-port", "0", "--oidc-port", str(oidc_port)),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = ""
        while (found := ISSUER.search(said)) is None:
            line = process.stdout.readline() if process.stdout else ""
            assert line, f"the sandbox ended: {said}"
            said += line
        yield Provider(issuer=found[1])
        process.terminate()


Start = Callable[..., Front]


@pytest.fixture
def start(tmp_path: Path, migrated_sqlite: Path, provider: Provider) -> Iterator[Start]:
    made: list[Front] = []

    def begin(**settings: str) -> Front:
        given = {
            "DASHBOARD_OIDC_ISSUER": provider.issuer,
            "DASHBOARD_OIDC_CLIENT_ID": CLIENT_ID,
            "DASHBOARD_OIDC_CLIENT_SECRET": CLIENT_SECRET.get_secret_value(),
            "DASHBOARD_OIDC_NAME": BUTTON,
            "DASHBOARD_OIDC_ROLE_CLAIM": "groups",
            "DASHBOARD_OIDC_ROLE_MAP": "zoom-admins=admin,helpdesk=support",
            **settings,
        }
        front = Front(tmp_path, migrated_sqlite, **given)
        made.append(front)
        client = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET.get_secret_value(),
            "redirect_uris": [f"{front.url}{CALLBACK_PATH}"],
        }
        provider.set("clients", client)
        return front.start()

    yield begin
    for each in made:
        each.kill()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def to_the_provider(page: Page, front: Front, to: str = "/webhooks/") -> None:
    page.goto(front.url + to)
    page.get_by_role("link", name=BUTTON).click()
    heading(page, "Sign in to the dashboard")


def choose(page: Page, person: str) -> None:
    option = page.locator("option", has_text=person).get_attribute("value")
    page.get_by_label("Who are you?").select_option(option)
    submit(page, "Sign in")


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def age_proofs(front: Front) -> None:
    """Forget when everyone proved themselves."""
    # Beside the server's own lock, which no second dashboard gets.
    with closing(sqlite3.connect(front.file, timeout=60)) as file, file:
        file.execute("UPDATE staff_session SET proven_at = NULL")


def refused(page: Page, words: str) -> None:
    """It says why, on a page that signs in again; no page of staff opens."""
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("link", name=BUTTON)).to_be_visible()
    page.goto(f"{page.url.partition('/sign-in')[0]}/webhooks/")
    heading(page, "Sign in")


def test_the_button_leads_there_and_back_to_the_page_that_was_asked_for(
    start: Start, page: Page
) -> None:
    front = start()

    to_the_provider(page, front, to="/webhooks/?outcome=failed")
    choose(page, "Hal Helpdesk")

    heading(page, "Webhooks")
    assert page.url == f"{front.url}/webhooks/?outcome=failed"
    expect(page.get_by_text("hal@example.com").first).to_be_attached()
    page.goto(f"{front.url}/staff/")
    heading(page, "Not allowed")


def test_a_proof_of_another_sign_in_is_refused(
    start: Start, page: Page, provider: Provider
) -> None:
    front = start()
    provider.set("switches", {"wrong_nonce": True})

    to_the_provider(page, front)
    choose(page, "Ada Admin")

    refused(page, "sent the proof of another sign-in")
    provider.set("switches", {"wrong_nonce": False})
    to_the_provider(page, front)
    choose(page, "Ada Admin")
    heading(page, "Webhooks")


def test_an_address_that_was_come_back_by_opens_nothing_again(
    start: Start, page: Page, browser: Browser
) -> None:
    front, came_back = start(), list[str]()

    def note(answer: Response) -> None:
        if urlsplit(answer.url).path == CALLBACK_PATH:
            came_back.append(answer.url)

    page.on("response", note)
    to_the_provider(page, front)
    choose(page, "Ada Admin")
    heading(page, "Webhooks")
    submit(page, "Sign out")
    [address] = came_back
    assert set(parse_qs(urlsplit(address).query)) >= {"code", "state"}

    page.goto(address)
    refused(page, "was used already")
    other = browser.new_context()
    stranger = other.new_page()
    stranger.goto(address)
    refused(stranger, "began in another browser")
    other.close()


def test_a_person_without_a_mapped_group_is_told_so(start: Start, page: Page) -> None:
    front = start()

    to_the_provider(page, front)
    choose(page, "Uma Unmapped")

    refused(page, "The identity provider gives you no role here")


FAULTS: dict[str, list[dict[str, Any]]] = {
    "refuses": [{"kind": "down"}],
    "fails": [{"kind": "server_error"}],
}


@pytest.mark.parametrize("how", FAULTS)
def test_while_the_provider_is_down_a_password_opens_the_same_page(
    start: Start, page: Page, provider: Provider, how: str
) -> None:
    front = start()
    provider.set("faults", FAULTS[how])

    page.goto(f"{front.url}/webhooks/?outcome=failed")
    page.get_by_role("link", name=BUTTON).click()

    expect(page.get_by_role("alert")).to_contain_text("does not answer as it should")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    submit(page, "Sign in")
    assert page.url == f"{front.url}/webhooks/?outcome=failed"
    heading(page, "Webhooks")


def test_a_provider_that_goes_down_on_the_way_back_begins_no_session(
    start: Start, page: Page, provider: Provider
) -> None:
    front = start()
    to_the_provider(page, front)
    provider.set("faults", [{"kind": "down", "path": "/token"}])

    choose(page, "Ada Admin")

    refused(page, "does not answer as it should")


def test_passwords_that_are_off_can_be_let_in_until_the_next_start(
    start: Start, page: Page
) -> None:
    front = start(DASHBOARD_OIDC_ONLY="true")
    page.goto(f"{front.url}/sign-in")
    expect(page.get_by_label("Password")).to_have_count(0)

    front.kill()
    front.options = ("--allow-passwords",)
    front.start()

    page.goto(f"{front.url}/webhooks/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    submit(page, "Sign in")
    heading(page, "Webhooks")


def test_a_proof_at_the_provider_loses_nothing_that_was_typed(
    start: Start, page: Page
) -> None:
    front = start()
    to_the_provider(page, front, to="/staff/new")
    choose(page, "Ada Admin")
    page.get_by_label("Email").fill("ben@example.com")
    age_proofs(front)
    page.get_by_role("button", name="Add", exact=True).click()
    heading(page, "Confirm it's you")
    expect(page.get_by_label("password")).to_have_count(0)

    with page.expect_popup() as opened:
        page.get_by_role("link", name=f"{BUTTON} again").click()
    tab = opened.value
    expect(tab.get_by_text("asks you to sign in again")).to_be_visible()
    choose(tab, "Ada Admin")

    heading(tab, "Confirmed")
    heading(page, "Link for ben@example.com")


def test_an_account_is_linked_on_its_page_and_the_link_removed(
    start: Start, page: Page
) -> None:
    front = start()
    page.goto(f"{front.url}/account")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    submit(page, "Sign in")
    age_proofs(front)
    page.get_by_role("link", name="Link this account").click()
    page.get_by_label("Your password").fill(PASSWORD)
    submit(page, "Continue")
    heading(page, "Link to the identity provider")
    page.get_by_role("link", name="Continue").click()

    choose(page, "Ada Admin")

    heading(page, "Your account")
    expect(page.get_by_text("Linked your account to ada@example.com")).to_be_visible()
    page.get_by_role("button", name="Remove the link").click()
    submit(page, "Remove the link", within=page.get_by_role("dialog"))
    expect(page.get_by_text("Your account is not linked to it")).to_be_visible()
