"""How connecting ends at the simulated Zoom and Recall, as seen on a phone."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import select

from dashboard.models.connection import AttemptOutcome, ConnectAttempt
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import Kind, TokenCustody, ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.connect import logos, page_designs
from dashboard.services.connect.page_designs import Texts
from dashboard.services.invitations import invitations
from dashboard.services.invitations.invitations import Made
from dashboard.services.runtime import Runtime
from tests.browser.test_sweep import context_of, faults_of
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.invitations import invite, reconnect_link
from tests.fixtures.moved_clock import Moved, bare, moved
from tests.fixtures.relay import until

__all__ = ["bare", "moved"]

pytestmark = pytest.mark.browser

LOGO = Path(__file__).parents[2] / "docs" / "connection.png"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give the phone of somebody who was never here."""
    context = context_of(browser, None, "phone", "light")
    yield context.new_page()
    context.close()


def expect_page(page: Page, heading: str, words: str) -> None:
    """Expect a hosted page, whole at 390 px in both themes."""
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    expect(page.get_by_text(words).first).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert faults_of(page) == []


def connect_url(stage: ConnectStage) -> str:
    return f"{stage.runtime.public_url}/connect/{stage.app.slug}"


def link_url(stage: ConnectStage, made: Made) -> str:
    return f"{connect_url(stage)}/i/{made.secret}"


def allow(page: Page, stage: ConnectStage, zoom_user_id: str) -> None:
    """Allow at the simulated Zoom as this user, and come back."""
    page.get_by_label("Signed in as").select_option(value=zoom_user_id)
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{stage.runtime.public_url}/**")


def design(stage: ConnectStage) -> None:
    """Have the hosted pages say who asks, with a logo."""
    texts = Texts(organisation="Acme", intro="We write the minutes.", contact="x 1234")
    logo = logos.read(LOGO.read_bytes())
    with stage.runtime.database.writing() as session:
        page_designs.save(
            session,
            stage.app,
            texts,
            logo=logo,
            actor=audit.COMMAND_LINE,
            now=stage.runtime.clock.now(),
        )


def press(page: Page, words: str) -> None:
    page.get_by_role("button", name=words).click()


@pytest.mark.parametrize("behaviour", ["upsert", "conflict"])
def test_a_reconnect_link_renews_under_each_behaviour_of_recall(
    page: Page, moved: Moved, behaviour: str
) -> None:
    stage = moved.stage
    connection = stage.connect()
    made = reconnect_link(stage, connection)
    moved.sandbox.recall_world.set_switches({"reconnect": behaviour})

    page.goto(link_url(stage, made))
    expect_page(page, "Reconnect your Zoom account", "a***@example.com")
    press(page, "Reconnect Zoom")
    allow(page, stage, stage.ana.id)
    if behaviour == "conflict":
        expect_page(page, "One more step", "approve again at Zoom")
        press(page, "Connect Zoom")
        allow(page, stage, stage.ana.id)

    expect_page(page, "You are connected", "Your connection works.")
    [credential] = stage.credentials()
    renewed = stage.connection(connection.id)
    assert str(renewed.recall_credential_id) == credential.id
    page.goto(link_url(stage, made))
    expect_page(
        page, "This link has already been used", "a connection was made with it"
    )


def test_a_wrong_account_is_refused_and_the_right_one_taken(
    page: Page, moved: Moved
) -> None:
    stage = moved.stage
    bo = moved.sandbox.zoom_world.add_user(email="bo@example.org")
    made = invite(stage, "ana@example.com")

    page.goto(link_url(stage, made))
    press(page, "Connect Zoom")
    allow(page, stage, bo.id)
    expect_page(page, "Another Zoom account", "This link is for a***@example.com.")
    assert stage.credentials() == []
    press(page, "Start again")
    allow(page, stage, stage.ana.id)

    expect_page(page, "You are connected", "ana@example.com")


def test_a_scope_that_was_not_ticked_is_named_and_can_be_given(
    page: Page, moved: Moved
) -> None:
    stage = moved.stage
    moved.sandbox.zoom_world.switch(withheld_scopes=["user:read:user"])

    page.goto(connect_url(stage))
    press(page, "Connect Zoom")
    allow(page, stage, stage.ana.id)
    expect_page(page, "One permission is missing", "bots may have to ask the host")
    expect(page.get_by_text("Zoom did not grant user:read:user.")).to_be_visible()
    moved.sandbox.zoom_world.switch(withheld_scopes=[])
    press(page, "Connect again")
    allow(page, stage, stage.ana.id)

    expect_page(page, "You are connected", "Your connection works.")


def test_an_attempt_that_never_comes_back_is_told_to_its_user_and_to_staff(
    page: Page, moved: Moved
) -> None:
    stage = moved.stage
    moved.sandbox.zoom_world.switch(decline="silence")
    for _ in range(3):
        page.goto(connect_url(stage))
        press(page, "Connect Zoom")
        press(page, "Decline")

    page.goto(connect_url(stage))
    expect_page(page, "Connect your Zoom account", "Invalid redirect (4,700)")
    moved.move(minutes=11)
    until(lambda: abandoned(stage) == 3)
    page.reload()

    expect(page.get_by_text("haven't come back")).to_be_visible()
    moved.open(page)
    page.goto(f"{moved.url}/connections/attempts/?outcome=abandoned")
    expect(page.get_by_text("redirect URL is probably wrong")).to_be_visible()
    assert faults_of(page) == []


def abandoned(stage: ConnectStage) -> int:
    with stage.runtime.database.reading() as session:
        rows = session.exec(select(ConnectAttempt)).all()
    return sum(row.outcome is AttemptOutcome.ABANDONED for row in rows)


def test_who_removed_the_app_in_zoom_is_told_that_it_has_ended(
    page: Page, moved: Moved
) -> None:
    stage, zoom = moved.stage, moved.sandbox.zoom_world
    zoom.change_app(
        stage.app.client_id, published=True, deauthorization_url=moved.webhook_url
    )
    page.goto(connect_url(stage))
    press(page, "Connect Zoom")
    allow(page, stage, stage.ana.id)
    moved.move(seconds=5)

    zoom.uninstall(stage.app.client_id, stage.ana.id)

    told = page.get_by_text("removed the app in Zoom")
    until(lambda: bool(page.goto(f"{connect_url(stage)}/mine")) and told.is_visible())
    assert faults_of(page) == []


def test_an_account_needs_its_admin(
    page: Page, bare: Runtime, running_sandbox: RunningSandbox
) -> None:
    stage = a_connect_stage(bare, running_sandbox, kind=Kind.ACCOUNT_LEVEL)
    member = running_sandbox.zoom_world.add_user(email="member@example.com")

    page.goto(connect_url(stage))
    expect_page(page, "Connect your Zoom account", "Only an admin of the Zoom account")
    press(page, "Connect Zoom")
    page.get_by_label("Signed in as").select_option(value=member.id)
    press(page, "Allow")
    expect(page.get_by_text("Only an admin")).to_be_visible()  # Zoom's own page
    page.goto(connect_url(stage))
    expect_page(page, "Connect your Zoom account", "your organization's Zoom admin")
    press(page, "Connect Zoom")
    allow(page, stage, stage.ana.id)

    expect_page(page, "You are connected", "Zoom account ID")


def test_a_user_sees_and_ends_the_connection(page: Page, moved: Moved) -> None:
    stage = moved.stage
    design(stage)
    page.goto(connect_url(stage))
    expect(page.get_by_text("We write the minutes.")).to_be_visible()
    press(page, "Connect Zoom")
    allow(page, stage, stage.ana.id)

    page.get_by_role("link", name="see your connection").click()
    expect_page(page, "Your connection", "Connected since")
    page.get_by_role("link", name="Disconnect").click()
    expect_page(page, "Disconnect?", "Zoom's authorization is deleted")
    press(page, "Disconnect")

    expect_page(page, "You are disconnected", "Added Apps")
    assert stage.credentials() == []
    page.goto(f"{connect_url(stage)}/mine")
    expect_page(page, "No connection here", "your data here is deleted")


def test_links_of_no_use_say_why(page: Page, moved: Moved) -> None:
    stage = moved.stage
    revoked, old = invite(stage), invite(stage)
    now = stage.runtime.clock.now()
    with stage.runtime.database.writing() as session:
        invitations.revoke(
            session, revoked.invitation.id, actor=audit.COMMAND_LINE, now=now
        )
        session.add(old.invitation)
        old.invitation.expires_at = now - timedelta(days=1)

    page.goto(link_url(stage, revoked))
    expect_page(page, "This link was revoked", "a newer one")
    page.goto(link_url(stage, old))
    expect_page(page, "This link has expired", "Ask the person who sent it")
    page.goto(f"{connect_url(stage)}/i/never-made")
    expect_page(page, "We don't recognize this link", "Part of it may be missing")
    page.goto(f"{connect_url(stage)}/mine")
    expect_page(page, "No connection here", "only in the browser")


def test_with_tokens_kept_here_it_is_all_the_same_to_the_user(
    page: Page, moved: Moved
) -> None:
    stage = moved.stage
    keep_tokens_here(stage)
    bo = moved.sandbox.zoom_world.add_user(email="bo@example.org")
    made = invite(stage, "ana@example.com")

    page.goto(link_url(stage, made))
    expect_page(page, "Connect your Zoom account", "stores Zoom's authorization")
    press(page, "Connect Zoom")
    allow(page, stage, bo.id)
    expect_page(page, "Another Zoom account", "This link is for a***@example.com.")
    press(page, "Start again")
    allow(page, stage, stage.ana.id)
    expect_page(page, "You are connected", "Your connection works.")
    [connection_id] = held(stage)
    made = reconnect_link(stage, stage.connection(connection_id))
    page.goto(link_url(stage, made))
    press(page, "Reconnect Zoom")
    allow(page, stage, stage.ana.id)

    expect_page(page, "You are connected", "Your connection works.")
    assert held(stage) == [connection_id]
    assert [one.user_id for one in stage.credentials()] == [stage.ana.id]


def keep_tokens_here(stage: ConnectStage) -> None:
    with stage.runtime.database.writing() as session:
        app = session.get_one(ZoomApp, stage.app.id)
        app.token_custody = TokenCustody.DASHBOARD
        session.add(app)


def held(stage: ConnectStage) -> list[UUID]:
    """Return the connections whose grants are kept here."""
    with stage.runtime.database.reading() as session:
        return list(session.exec(select(HeldGrant.connection_id)))
