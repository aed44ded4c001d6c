"""Manifest, subscription by API and review texts in the browser."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx2
import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.models.staff import Role
from dashboard.models.zoom_app import Kind, Routing, ScopeStyle, TokenCustody
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts
from tests.conftest import PASSWORD, SignIn
from tests.fixtures.subscriptions import (
    PATH,
    SubscriptionStage,
    a_subscription_stage,
)
from tests.makers import CLIENT_SECRET, SECRET_TOKEN, a_zoom_app

SECRETS = [CLIENT_SECRET.get_secret_value(), SECRET_TOKEN.get_secret_value()]
PAGES = ["manifest", "manifest.json", "subscription", "review"]


def saved(runtime: Runtime, **over: Any) -> UUID:
    app = a_zoom_app(runtime.vault, **over)
    with runtime.database.writing() as session:
        session.add(app)
    return app.id


@pytest.mark.parametrize("role", [one for one in Role if one is not Role.AUDITOR])
@pytest.mark.parametrize("page", PAGES)
def test_who_reads_zoom_apps_reads_every_page_and_no_secret(
    runtime: Runtime, as_role: SignIn, role: Role, page: str
) -> None:
    app_id = saved(runtime)

    answer = as_role(role).get(f"/zoom-apps/{app_id}/{page}")

    assert answer.status_code == 200
    assert not [one for one in SECRETS if one in answer.text]
    if role is not Role.ADMIN:
        assert not BeautifulSoup(answer.text, "html5lib").select("main form")


def test_the_apps_page_leads_to_all_three(runtime: Runtime, as_role: SignIn) -> None:
    app_id = saved(runtime)

    page = as_role(Role.ADMIN).get(f"/zoom-apps/{app_id}").text

    for name in ("manifest", "subscription", "review"):
        assert f'href="/zoom-apps/{app_id}/{name}"' in page


def test_the_file_is_the_manifest_that_the_page_shows(
    runtime: Runtime, as_role: SignIn
) -> None:
    admin, app_id = as_role(Role.ADMIN), saved(runtime)

    file = admin.get(f"/zoom-apps/{app_id}/manifest.json")
    page = BeautifulSoup(admin.get(f"/zoom-apps/{app_id}/manifest").text, "html5lib")

    shown = page.select_one("pre[data-copy-value]")
    assert shown is not None
    assert json.loads(shown.text) == json.loads(file.text)
    assert file.mimetype == "application/json"
    assert "attachment" in file.headers["Content-Disposition"]
    assert "development.manifest.json" in file.headers["Content-Disposition"]
    assert len(page.select(".btn-primary")) == 1


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"scope_style": ScopeStyle.LEGACY}, "apps with granular scopes"),
        ({"routing": Routing.DIRECT}, "Create in Recall first"),
    ],
)
def test_a_file_that_would_fail_is_not_offered_and_the_page_says_why(
    runtime: Runtime, as_role: SignIn, over: dict[str, object], said: str
) -> None:
    admin, app_id = as_role(Role.ADMIN), saved(runtime, **over)

    page = admin.get(f"/zoom-apps/{app_id}/manifest")
    file = admin.get(f"/zoom-apps/{app_id}/manifest.json")

    assert (page.status_code, file.status_code) == (200, 409)
    assert said in page.text
    assert said in file.text
    assert "manifest.json" not in page.text


def test_the_review_texts_hold_the_apps_own_values(
    runtime: Runtime, as_role: SignIn
) -> None:
    app_id = saved(runtime, kind=Kind.ACCOUNT_LEVEL, slug="notetaker-42")

    text = as_role(Role.SUPPORT).get(f"/zoom-apps/{app_id}/review").text

    for value in (
        "https://dashboard.example.com/connect/notetaker-42",
        "https://dashboard.example.com/oauth/zoom/callback",
        f"https://dashboard.example.com/hooks/zoom/{app_id}",
        "meeting:read:local_recording_token:admin",
        "an admin of a Zoom account",
        "AES-256-GCM",
        "30 days",
        "Recall.ai",
    ):
        assert value in text


def test_each_text_can_be_copied_whole_and_read_without_script(
    runtime: Runtime, as_role: SignIn
) -> None:
    answer = as_role(Role.ADMIN).get(f"/zoom-apps/{saved(runtime)}/review")

    page = BeautifulSoup(answer.text, "html5lib")
    blocks = page.select(".copy-text")
    assert len(blocks) == 3 + 5  # notes, data, plan; a scope each
    for block in blocks:
        text, button = block.select_one("pre"), block.select_one("button")
        assert text is not None
        assert button is not None
        assert button["data-copy"] == text.text
        assert "needs-script" in button["class"]


def test_with_direct_routing_no_event_is_said_to_be_kept(
    runtime: Runtime, as_role: SignIn
) -> None:
    app_id = saved(runtime, routing=Routing.DIRECT)

    text = as_role(Role.ADMIN).get(f"/zoom-apps/{app_id}/review").text

    assert "Zoom sends all events to it directly" in text
    assert "Each event that Zoom sends" not in text
    assert "API keys, events" not in text


def test_tokens_that_are_stored_here_are_said_to_be(
    runtime: Runtime, as_role: SignIn
) -> None:
    app_id = saved(runtime, token_custody=TokenCustody.DASHBOARD)

    text = as_role(Role.ADMIN).get(f"/zoom-apps/{app_id}/review").text

    assert "Data handling statement" in text
    assert "the access token and the refresh token that Zoom issued to us" in text


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> Iterator[SubscriptionStage]:
    with a_subscription_stage(runtime, sandbox) as made:
        yield made


@pytest.fixture
def admin(stage: SubscriptionStage) -> FlaskClient:
    accounts.add(
        stage.runtime.database,
        email="admin@example.com",
        role=Role.ADMIN,
        password=PASSWORD,
        now=stage.runtime.clock.now(),
        actor=audit.COMMAND_LINE,
    )
    browser = stage.flask.test_client()
    who = {
        "email": "admin@example.com",
        "password": PASSWORD.get_secret_value(),
    }
    assert browser.post("/sign-in", data=who).status_code == 303
    return browser


def compared(page: str) -> dict[str, tuple[str, str]]:
    """Return each row's two columns."""
    found = {}
    for row in BeautifulSoup(page, "html5lib").select("tbody tr"):
        cells = [cell.get_text(" ", strip=True) for cell in row.select("th, td")]
        found[cells[0]] = (cells[1], cells[2])
    return found


def test_create_shows_what_zoom_has_beside_what_it_should_be(
    stage: SubscriptionStage, admin: FlaskClient
) -> None:
    stage.connect()
    url = f"/zoom-apps/{stage.app_id}/subscription"
    before = admin.get(url).text

    answer = admin.post(f"{url}/create")
    later = admin.get(url).text

    assert compared(before)["Webhook URL"] == (stage.url, "Unknown")
    assert "Create in Zoom" in before
    assert answer.status_code == 200
    assert compared(answer.text)["Webhook URL"] == (stage.url, stage.url)
    assert compared(later) == compared(answer.text)
    assert "Matches" in later
    assert "Create in Zoom" not in later


def test_the_difference_is_marked_and_mend_offered(
    stage: SubscriptionStage, admin: FlaskClient
) -> None:
    stage.connect()
    stage.create()
    stage.made()[0].events = ["meeting.created"]
    url = f"/zoom-apps/{stage.app_id}/subscription"

    read = admin.post(f"{url}/read").text
    mended = admin.post(f"{url}/mend").text

    page = BeautifulSoup(read, "html5lib")
    (marked,) = page.select("tr.row-differs")
    assert "differs" in str(marked)  # the icon's name, not colour alone
    assert "Zoom does not send user.updated." in read
    assert [one.text.strip() for one in page.select(".btn-primary")] == ["Fix"]
    assert "Zoom sends both events" in mended


def test_what_cannot_be_asked_yet_is_said_on_the_page(
    stage: SubscriptionStage, admin: FlaskClient
) -> None:
    answer = admin.post(f"/zoom-apps/{stage.app_id}/subscription/create")

    page = BeautifulSoup(answer.text, "html5lib")
    assert answer.status_code == 409
    alert = page.select_one("[role=alert]")
    assert alert is not None
    assert "No users are connected" in alert.text
    assert stage.url in answer.text  # by hand it can be done all the same


def test_what_is_not_allowed_leaves_the_way_by_hand(
    stage: SubscriptionStage, admin: FlaskClient
) -> None:
    stage.connect()
    stage.sandbox.zoom_world.switch(client_credentials=False)

    text = admin.post(f"/zoom-apps/{stage.app_id}/subscription/create").text

    assert "no token of its own" in text
    assert "By hand instead" in text
    assert "meeting.created" in text


def test_one_process_answers_zooms_challenge_while_it_asks_zoom(
    stage: SubscriptionStage,
) -> None:
    stage.connect()
    browser = httpx2.Client(base_url=stage.runtime.public_url, trust_env=False)
    accounts.add(
        stage.runtime.database,
        email="admin@example.com",
        role=Role.ADMIN,
        password=PASSWORD,
        now=stage.runtime.clock.now(),
        actor=audit.COMMAND_LINE,
    )
    who = {"email": "admin@example.com", "password": PASSWORD.get_secret_value()}
    signed_in = browser.post("/sign-in", data=who)

    answer = browser.post(f"/zoom-apps/{stage.app_id}/subscription/create")

    browser.close()
    assert signed_in.status_code == 303
    assert "Zoom sends both events" in answer.text
    challenge = stage.sandbox.zoom_world.state.deliveries[-1]
    assert challenge.attempts[0].status == 200


def test_a_firewalls_page_is_no_refusal(
    stage: SubscriptionStage, admin: FlaskClient
) -> None:
    stage.connect()
    stage.sandbox.zoom_faults.set([Fault(kind=FaultKind.HTML_403, path=PATH)])

    text = admin.post(f"/zoom-apps/{stage.app_id}/subscription/read").text

    assert "Unknown" in text
    assert "something in front of it blocked the request" in text
