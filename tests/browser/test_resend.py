"""Ten thousand webhooks sent again, watched and called off half-way, in a browser.

Against a real `serve` on SQLite and the simulated Recall.
"""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import insert
from sqlmodel import SQLModel, col, select

from dashboard.db import Database
from dashboard.models.resend import Redelivery, RedeliveryOutcome
from dashboard.models.staff import Role
from dashboard.models.webhook import Outcome, Webhook, WebhookBody
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.recall.records import App, Received
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.receiver.signatures import sign, signed_bytes
from dashboard.services.staff import accounts
from dashboard.settings import new_key, parse_keys
from dashboard.vault import Vault
from tests.browser.conftest import Demo
from tests.browser.test_story import sign_in
from tests.conftest import PASSWORD
from tests.fixtures.relay import at_recall, recall_app, until
from tests.makers import SECRET_TOKEN, a_body, a_webhook
from tests.system.test_kill import Served, set_up

__all__ = ["recall_app"]

pytestmark = pytest.mark.browser

MANY = 10_000
CHALLENGE = b"endpoint.url_validation"
SENT = re.compile(r"([\d,]+) of 10,000 sent")
SLOWEST_MS = 60_000


@dataclass(frozen=True, kw_only=True)
class Relay:
    """A dashboard that runs, its database, and what was in it before."""

    url: str
    file: Path
    bodies: set[bytes]

    def rows(self, model: type[SQLModel], *conditions: Any) -> list[Any]:
        database = Database(f"sqlite:///{self.file}")
        with database.reading() as session:
            found = list(session.exec(select(model).where(*conditions)))
        database.close()
        return found

    def originals(self) -> dict[int, dict[str, Any]]:
        """Return what every webhook and its sealed bytes are, but for one thing.

        `delivered_at` is when Recall first took it, be it by a resend.
        """
        bodies = {each.webhook_id: each for each in self.rows(WebhookBody)}
        return {
            each.id: {
                **each.model_dump(exclude={"delivered_at"}),
                "bytes": (bodies[each.id].headers, bodies[each.id].body),
            }
            for each in self.rows(Webhook)
        }

    def owed(self, outcome: RedeliveryOutcome) -> int:
        return len(self.rows(Redelivery, col(Redelivery.outcome) == outcome))


def signed(number: int, event: str, timestamp: str) -> tuple[bytes, bytes]:
    body = json.dumps(
        {"event": event, "event_ts": number, "payload": {"object": {"id": number}}}
    ).encode()
    signature = sign(signed_bytes(timestamp, body), SECRET_TOKEN).decode()
    headers = {
        "content-type": "application/json",
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": signature,
    }
    return body, json.dumps(list(headers.items())).encode()


def fill(database: Database, vault: Vault, app_id: UUID) -> set[bytes]:
    """Store what Zoom sent an hour ago: 10,000 that died, 3 that Recall took."""
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)  # noqa: TID251 - of a process in real time
    timestamp = str(int(an_hour_ago.timestamp()))
    made: list[Webhook] = []
    sealed: list[WebhookBody] = []
    bodies = set()
    with database.writing() as session:
        app = session.get_one(ZoomApp, app_id)
        for number in range(MANY + 3):
            is_dead = number < MANY
            event = "meeting.created" if is_dead else "user.updated"
            body, headers = signed(number, event, timestamp)
            webhook = a_webhook(
                app,
                received_at=an_hour_ago + timedelta(milliseconds=number),
                event=event,
                body_bytes=len(body),
                outcome=Outcome.DEAD if is_dead else Outcome.DELIVERED,
                delivered_at=None if is_dead else an_hour_ago,
            )
            made.append(webhook)
            sealed.append(a_body(vault, webhook, body=body, headers=headers))
            bodies.add(body)
        for model, rows in ((Webhook, made), (WebhookBody, sealed)):
            values = [each.model_dump() for each in rows]
            session.connection().execute(insert(model), values)
    accounts.add(
        database,
        email="admin@example.com",
        role=Role.ADMIN,
        password=PASSWORD,
        actor=audit.COMMAND_LINE,
        now=an_hour_ago,
    )
    return bodies


@pytest.fixture
def relay(tmp_path: Path, sandbox: RunningSandbox, recall_app: App) -> Iterator[Relay]:
    sandbox.clock.set(None)
    key = new_key()
    server = Served(tmp_path, sandbox, key)
    app_id = set_up(server, recall_app)
    database = Database(f"sqlite:///{server.file}")
    bodies = fill(database, Vault(parse_keys(key)), app_id)
    database.close()
    server.start()
    yield Relay(url=server.url, file=server.file, bodies=bodies)
    server.kill()


@pytest.fixture
def admin(browser: Browser, relay: Relay) -> Iterator[Page]:
    """Give a page in which an admin is signed in."""
    context = browser.new_context()
    page = context.new_page()
    demo = Demo(
        url=relay.url,
        password=PASSWORD.get_secret_value(),
        zoom_url="",
        recall_url="",
        spare_api_key="",
    )
    sign_in(page, demo, "admin@example.com")
    yield page
    context.close()


def sent_so_far(page: Page) -> int:
    found = SENT.search(page.locator("#resend").inner_text())
    return int(found[1].replace(",", "")) if found else -1


def begin(page: Page, relay: Relay, filters: str) -> None:
    page.goto(f"{relay.url}/webhooks/?{filters}")
    page.get_by_role("link", name="Resend filtered…").click()


def events_at_recall(sandbox: RunningSandbox) -> list[Received]:
    """Return what Recall got but for challenges: the dashboard probes it as well."""
    return [each for each in at_recall(sandbox) if CHALLENGE not in each.body]


def test_ten_thousand_are_sent_again_watched_and_called_off(
    admin: Page, relay: Relay, sandbox: RunningSandbox
) -> None:
    page = admin
    before = relay.originals()
    page.goto(f"{relay.url}/webhooks/")
    page.get_by_role("link", name=re.compile("^Failed")).click()
    page.wait_for_url(re.compile("outcome=dead"))
    page.get_by_role("link", name="Resend filtered…").click()
    expect(page.locator("#preview")).to_contain_text("10,000 webhooks")
    expect(page.get_by_text("Recall may reject them")).to_be_visible()
    assert events_at_recall(sandbox) == []

    page.get_by_role("button", name="Resend 10,000 webhooks").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Resend of")
    page.evaluate("window.isTheSamePage = true")
    until(lambda: sent_so_far(page) > 100)
    first = sent_so_far(page)
    until(lambda: sent_so_far(page) > first + 100)
    assert page.evaluate("window.isTheSamePage")  # it moved by itself
    assert re.search("10,000 webhooks: .* delivered", label_of(page))

    page.get_by_role("button", name="Cancel", exact=True).click()
    time.sleep(0.5)  # the page goes on moving beneath the question
    page.get_by_role("button", name="Cancel resend").click()
    flash = page.get_by_text(re.compile(r"Cancelled\. [\d,]+ were already sent"))
    expect(flash).to_be_visible()
    until(lambda: relay.owed(RedeliveryOutcome.WAITING) == 0)

    sent = relay.owed(RedeliveryOutcome.DELIVERED)
    page.reload()
    assert sent_so_far(page) == sent == len(events_at_recall(sandbox))
    assert first < sent < MANY
    assert f"{MANY - sent:,} cancelled" in label_of(page)
    assert {each.body for each in events_at_recall(sandbox)} <= relay.bodies
    assert relay.originals() == before

    begin(page, relay, "event=user.updated")
    page.get_by_role("button", name="Resend 3 webhooks").click()
    expect(page.locator("#resend-progress")).to_contain_text("Done", timeout=SLOWEST_MS)
    expect(page.locator("#resend-progress")).to_contain_text("3 of 3 sent")

    # What was called off can be sent later: the rest, and no more.
    begin(page, relay, "outcome=dead")
    expect(page.locator("#preview")).to_contain_text(f"{MANY - sent:,} webhooks")
    assert relay.originals() == before


def test_what_recall_rejects_for_its_age_says_the_reason_and_when_it_is_sent_again(
    admin: Page, relay: Relay, sandbox: RunningSandbox
) -> None:
    page = admin
    sandbox.recall_world.switches.max_age_s = 300
    begin(page, relay, "event=user.updated")
    page.get_by_role("button", name="Resend 3 webhooks").click()
    progress = page.locator("#resend-progress")
    expect(progress).to_contain_text("400", timeout=SLOWEST_MS)

    expect(progress).to_contain_text("waiting 3")
    expect(progress).to_contain_text(re.compile("next attempt is in (1 h|59 min)"))


def label_of(page: Page) -> str:
    return page.locator("#resend svg[role=img]").get_attribute("aria-label") or ""
