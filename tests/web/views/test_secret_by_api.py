"""A new client secret by API: confirmed first, stored, and given to Recall."""

from datetime import timedelta
from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from dashboard.models.audit import AuditEntry
from dashboard.models.staff import Role
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import SecretChange, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom.records import ZoomApp as AtZoom
from dashboard.services import urls
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps
from tests.conftest import SignIn
from tests.makers import CLIENT_SECRET, SECRET_TOKEN, a_zoom_app

APPS = "/v2/marketplace/apps"
OLD = CLIENT_SECRET.get_secret_value()


@pytest.fixture
def admin(as_role: SignIn) -> FlaskClient:
    return as_role(Role.ADMIN)


@pytest.fixture
def there(sandbox: RunningSandbox, runtime: Runtime) -> AtZoom:
    """Give the app at Zoom."""
    return sandbox.zoom_world.add_app(
        name="Notetaker at Zoom",
        client_secret=OLD,
        secret_token=SECRET_TOKEN.get_secret_value(),
        redirect_url=urls.redirect_url(runtime.public_url),
    )


@pytest.fixture
def app_id(runtime: Runtime, there: AtZoom) -> UUID:
    return save(runtime, there.client_id, there.app_id)


def save(runtime: Runtime, client_id: str, at_zoom: str | None) -> UUID:
    row = a_zoom_app(runtime.vault, client_id=client_id, marketplace_app_id=at_zoom)
    with runtime.database.writing() as session:
        session.add(row)
    return row.id


def look_up(
    admin: FlaskClient, app_id: UUID, sandbox: RunningSandbox, token: str | None = None
) -> TestResponse:
    token = sandbox.zoom_world.issue_marketplace_token() if token is None else token
    return admin.post(f"/zoom-apps/{app_id}/client-secret", data={"token": token})


def rotate(admin: FlaskClient, app_id: UUID, found: TestResponse) -> TestResponse:
    page = BeautifulSoup(found.text, "html5lib")
    field = page.select_one("input[name=kept]")
    assert field is not None, found.text
    return admin.post(
        f"/zoom-apps/{app_id}/client-secret/rotate",
        data={"kept": field["value"]},
        follow_redirects=True,
    )


def stored(runtime: Runtime, app_id: UUID) -> tuple[ZoomApp, str]:
    with runtime.database.reading() as session:
        app = apps.get(session, app_id)
        return app, apps.client_secret(runtime.vault, app).get_secret_value()


def test_zoom_makes_a_secret_and_nobody_copies_it(
    admin: FlaskClient,
    runtime: Runtime,
    sandbox: RunningSandbox,
    there: AtZoom,
    app_id: UUID,
) -> None:
    found = look_up(admin, app_id, sandbox)
    unchanged = there.client_secret

    done = rotate(admin, app_id, found)

    app, secret = stored(runtime, app_id)
    assert unchanged == OLD
    assert "Notetaker at Zoom" in found.text
    assert "this dashboard&#39;s" in found.text
    assert secret == there.client_secret != OLD
    assert app.verdict is Verdict.RIGHT
    assert "Zoom accepted the client ID and client secret" in done.text
    until = there.previous_client_secret_until
    assert until is not None
    assert until - runtime.clock.now() >= timedelta(hours=23, minutes=59)
    with runtime.database.reading() as session:
        (change,) = session.exec(select(SecretChange)).all()
        acts = sorted(one.act for one in session.exec(select(AuditEntry)))
        told = " ".join(one.subject for one in session.exec(select(AuditEntry)))
    assert (change.has_client_secret, change.has_secret_token) == (True, False)
    assert acts == ["zoom_app.changed", "zoom_app.secret_by_api"]
    assert secret not in done.text + told


def test_another_apps_id_is_refused_before_anything_is_changed(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox, there: AtZoom
) -> None:
    other = sandbox.zoom_world.add_app(
        name="Calendar", redirect_url="https://calendar.example.com/back"
    )
    secret = other.client_secret
    mine = save(runtime, there.client_id, other.app_id)

    answer = look_up(admin, mine, sandbox)

    assert answer.status_code == 422
    assert "is another app&#39;s: “Calendar” sends its users to" in answer.text
    assert other.client_secret == secret


def test_another_published_app_is_named_for_comparison_and_its_secret_not_stored(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox, there: AtZoom
) -> None:
    other = sandbox.zoom_world.add_app(name="Calendar", published=True)
    mine = save(runtime, there.client_id, other.app_id)

    found = look_up(admin, mine, sandbox)
    done = rotate(admin, mine, found)

    assert "Calendar" in found.text
    assert "not shown by Zoom" in found.text
    assert f"app ID {other.app_id} is another app&#39;s" in done.text
    assert "The old one works until" in done.text
    assert stored(runtime, mine)[1] == OLD


@pytest.mark.parametrize(
    ("scopes", "token", "said"),
    [
        (["user:read:user"], None, "it lacks a scope"),
        (None, "simNone", "Zoom does not accept this token"),
        (None, "", "Paste the token."),
    ],
)
def test_a_token_that_does_not_fit_is_one_sentence(
    admin: FlaskClient,
    runtime: Runtime,
    sandbox: RunningSandbox,
    app_id: UUID,
    *,
    scopes: list[str] | None,
    token: str | None,
    said: str,
) -> None:
    if scopes:
        token = sandbox.zoom_world.issue_marketplace_token(scopes)

    answer = look_up(admin, app_id, sandbox, token)

    assert answer.status_code == 422
    assert said in answer.text
    assert stored(runtime, app_id)[1] == OLD


def test_without_zooms_app_id_it_is_asked_for(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox, there: AtZoom
) -> None:
    mine = save(runtime, there.client_id, None)

    answer = look_up(admin, mine, sandbox)

    assert "Zoom&#39;s app ID is not known yet." in answer.text
    assert f"/zoom-apps/{mine}/delivery-log" in answer.text


def test_a_denied_rotation_changes_nothing(
    admin: FlaskClient,
    runtime: Runtime,
    sandbox: RunningSandbox,
    there: AtZoom,
    app_id: UUID,
) -> None:
    sandbox.zoom_world.switch(rotation="denied")

    done = rotate(admin, app_id, look_up(admin, app_id, sandbox))

    assert "Nothing was changed." in done.text
    assert stored(runtime, app_id)[1] == there.client_secret == OLD


@pytest.mark.parametrize("how", ["lost", "without_secret"])
def test_a_secret_that_did_not_arrive_is_to_be_copied(
    admin: FlaskClient,
    runtime: Runtime,
    sandbox: RunningSandbox,
    app_id: UUID,
    *,
    how: str,
) -> None:
    found = look_up(admin, app_id, sandbox)
    if how == "lost":
        path = f"{APPS}/*/rotate_client_secret"
        sandbox.zoom_faults.set([Fault(kind=FaultKind.LOST_ANSWER, path=path)])
    else:
        sandbox.zoom_world.switch(rotation=how)

    done = rotate(admin, app_id, found)

    assert "copy it and enter it here. The old one works until" in done.text
    assert stored(runtime, app_id)[1] == OLD


@pytest.mark.parametrize("kept", ["", "zz", "ab" * 60])
def test_a_sealed_token_that_is_none_is_asked_for_again(
    admin: FlaskClient, there: AtZoom, app_id: UUID, kept: str
) -> None:
    answer = admin.post(
        f"/zoom-apps/{app_id}/client-secret/rotate",
        data={"kept": kept},
        follow_redirects=True,
    )

    assert "Paste the token again." in answer.text
    assert there.client_secret == OLD


def test_a_token_sealed_for_one_app_is_not_anothers(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox, app_id: UUID
) -> None:
    other_at_zoom = sandbox.zoom_world.add_app(name="Other")
    secret = other_at_zoom.client_secret
    other = save(runtime, other_at_zoom.client_id, other_at_zoom.app_id)

    answer = rotate(admin, other, look_up(admin, app_id, sandbox))

    assert "Paste the token again." in answer.text
    assert other_at_zoom.client_secret == secret


def test_support_may_not(as_role: SignIn, app_id: UUID) -> None:
    support = as_role(Role.SUPPORT)

    assert support.get(f"/zoom-apps/{app_id}/client-secret").status_code == 403
    assert support.post(f"/zoom-apps/{app_id}/client-secret").status_code == 403
    assert support.post(f"/zoom-apps/{app_id}/client-secret/rotate").status_code == 403
