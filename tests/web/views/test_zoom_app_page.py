"""One zoom app's page: its steps, its live parts, what support sees of it."""

from uuid import UUID, uuid4

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboard.models.check import Finding, Source
from dashboard.models.connection import TokenState
from dashboard.models.staff import Role
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from dashboard.services.validation import evidence
from dashboard.services.zoom_apps import apps
from tests.conftest import SignIn
from tests.makers import (
    API_KEY,
    CLIENT_SECRET,
    NOON,
    SECRET_TOKEN,
    a_connection,
    a_webhook,
    a_workspace,
    a_zoom_app,
)

CLIENT_ID = "simClient0000000000001"
SECRETS = [CLIENT_SECRET.get_secret_value(), SECRET_TOKEN.get_secret_value()]


@pytest.fixture
def admin(as_role: SignIn, sandbox: RunningSandbox) -> FlaskClient:
    """An admin's browser; Zoom and Recall know the pair and the key."""
    sandbox.zoom_world.add_app(
        name="Notetaker",
        client_id=CLIENT_ID,
        client_secret=SECRETS[0],
        secret_token=SECRETS[1],
    )
    sandbox.recall_world.add_workspace("us-east-1", API_KEY.get_secret_value())
    return as_role(Role.ADMIN)


@pytest.fixture
def entered(runtime: Runtime) -> tuple[UUID, UUID]:
    """Give the ids of a zoom app and of a workspace, not yet brought together."""
    zoom_app, workspace = a_zoom_app(runtime.vault), a_workspace(runtime.vault)
    with runtime.database.writing() as session:
        session.add(zoom_app)
        session.add(workspace)
    return zoom_app.id, workspace.id


def page_of(answer: TestResponse) -> BeautifulSoup:
    return BeautifulSoup(answer.text, "html5lib")


def only(runtime: Runtime) -> ZoomApp:
    with runtime.database.reading() as session:
        (found,) = apps.list_all(session)
        return found


def tone(page: BeautifulSoup, step: str) -> list[str]:
    found = page.select_one(f"#step-{step}")
    assert found is not None
    return [name for name in found["class"] if name.startswith("tone-")]


def show(client: FlaskClient, zoom_app_id: UUID) -> BeautifulSoup:
    answer = client.get(f"/zoom-apps/{zoom_app_id}")
    assert answer.status_code == 200, answer.text
    return page_of(answer)


def test_creating_in_recall_shows_the_id_with_a_copy_button(
    admin: FlaskClient, sandbox: RunningSandbox, entered: tuple[UUID, UUID]
) -> None:
    answer = admin.post(
        f"/zoom-apps/{entered[0]}/create-in-recall",
        data={"workspace_id": str(entered[1])},
        follow_redirects=True,
    )

    (made,) = sandbox.recall_world.apps.values()
    page = page_of(answer)
    assert page.select(f"button[data-copy='{made.id}']")
    assert tone(page, "recall_app") == ["tone-good"]
    assert page.select("#recalls[data-state=valid]")


def test_an_app_that_recall_has_already_is_offered_and_adopted(
    admin: FlaskClient,
    sandbox: RunningSandbox,
    runtime: Runtime,
    entered: tuple[UUID, UUID],
) -> None:
    world = sandbox.recall_world
    there = world.add_app(
        world.workspaces[API_KEY.get_secret_value()],
        kind=Kind.USER_LEVEL,
        client_id=only(runtime).client_id,
        client_secret="test-older-secret",
        webhook_secret="test-older-token",
    )
    path = f"/zoom-apps/{entered[0]}"

    offered = admin.post(
        f"{path}/create-in-recall", data={"workspace_id": str(entered[1])}
    )
    form = page_of(offered).select_one(f"form[action='{path}/adopt']")
    assert form is not None
    fields = {str(field["name"]): str(field["value"]) for field in form.select("input")}
    adopted = admin.post(f"{path}/adopt", data=fields, follow_redirects=True)

    assert offered.status_code == 409
    assert "Adopted" in adopted.text
    assert str(only(runtime).recall_app_id) == there.id
    assert "test-older" not in offered.text + adopted.text


def test_recall_being_down_is_one_sentence_on_the_page(
    admin: FlaskClient, sandbox: RunningSandbox, entered: tuple[UUID, UUID]
) -> None:
    sandbox.recall_faults.set([Fault(kind=FaultKind.HTML_403, path="/api/")])

    answer = admin.post(
        f"/zoom-apps/{entered[0]}/create-in-recall",
        data={"workspace_id": str(entered[1])},
        follow_redirects=True,
    )

    assert answer.status_code == 200
    assert "never makes a second one" in answer.text
    assert "403 ERROR" not in answer.text


def test_the_parts_that_change_come_alone_for_htmx_and_as_a_page_otherwise(
    admin: FlaskClient, runtime: Runtime, entered: tuple[UUID, UUID]
) -> None:
    path = f"/zoom-apps/{entered[0]}/validation"
    with runtime.database.writing() as session:
        evidence.record(
            session,
            zoom_app_id=entered[0],
            source=Source.ZOOM_CHALLENGE,
            finding=Finding.GOOD,
            detail="Zoom's challenge was answered.",
            took_ms=3.2,
            at=NOON,
        )

    part = admin.get(path, headers={"HX-Request": "true"})
    whole = admin.get(path)

    page = BeautifulSoup(part.text, "html5lib")
    assert page.select("#zoom-app-validation #ours[data-state=valid]")
    assert "answered in 3 ms" in page.text
    assert "<h1" not in part.text
    assert (whole.status_code, whole.location) == (
        303,
        path.removesuffix("/validation"),
    )


def test_the_page_shows_addresses_scopes_and_what_was_seen(
    admin: FlaskClient, runtime: Runtime, entered: tuple[UUID, UUID]
) -> None:
    with runtime.database.writing() as session:
        session.add(a_webhook(only(runtime)))
        session.add(
            a_connection(
                only(runtime),
                token_state=TokenState.MISSING_SCOPES,
                token_reason="The grant lacks meeting:read:list_meetings.",
            )
        )

    page = show(admin, entered[0])

    copied = {str(button["data-copy"]) for button in page.select("[data-copy]")}
    assert {
        f"https://dashboard.example.com/hooks/zoom/{entered[0]}",
        "https://dashboard.example.com/oauth/zoom/callback",
        f"https://dashboard.example.com/connect/{only(runtime).slug}",
        "meeting.created",
        "user.updated",
        "meeting:read:list_meetings",
    } <= copied
    assert "912 3456 7890" in page.text
    assert tone(page, "scopes") == ["tone-trouble"]
    assert tone(page, "user") == ["tone-good"]
    assert not any(secret in str(page) for secret in SECRETS)


@pytest.mark.parametrize(
    "act", ["check", "create-in-recall", "adopt", "update-in-recall", "probe"]
)
def test_support_may_not_act(
    as_role: SignIn, entered: tuple[UUID, UUID], act: str
) -> None:
    answer = as_role(Role.SUPPORT).post(f"/zoom-apps/{entered[0]}/{act}")

    assert answer.status_code == 403


def test_support_reads_the_page_and_finds_nothing_to_press(
    as_role: SignIn, runtime: Runtime, entered: tuple[UUID, UUID]
) -> None:
    page = show(as_role(Role.SUPPORT), entered[0])

    assert not page.select("main form")
    assert not page.select("main a[href$='/edit'], main a[href*='workspaces']")
    assert only(runtime).secret_token_print not in str(page)


def test_an_unknown_zoom_app_is_not_found(admin: FlaskClient) -> None:
    assert admin.get(f"/zoom-apps/{uuid4()}").status_code == 404
