"""A new client secret by API: made by Zoom, stored, and given to Recall."""

from datetime import timedelta
from uuid import UUID

import pytest
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


def rotate(admin: FlaskClient, app_id: UUID) -> TestResponse:
    return admin.post(f"/zoom-apps/{app_id}/client-secret", follow_redirects=True)


def stored(runtime: Runtime, app_id: UUID) -> tuple[ZoomApp, str]:
    with runtime.database.reading() as session:
        app = apps.get(session, app_id)
        return app, apps.client_secret(runtime.vault, app).get_secret_value()


def test_zoom_makes_a_secret_and_nobody_copies_it(
    admin: FlaskClient, runtime: Runtime, there: AtZoom, app_id: UUID
) -> None:
    asked = admin.get(f"/zoom-apps/{app_id}/client-secret")
    unchanged = there.client_secret

    done = rotate(admin, app_id)

    app, secret = stored(runtime, app_id)
    assert unchanged == OLD
    assert there.app_id in asked.text
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


def test_another_apps_id_changes_no_secret(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox, there: AtZoom
) -> None:
    other = sandbox.zoom_world.add_app(name="Calendar")
    secret = other.client_secret
    mine = save(runtime, there.client_id, other.app_id)

    done = rotate(admin, mine)

    assert "App ID does not exist." in done.text
    assert "Nothing was changed." in done.text
    assert (other.client_secret, stored(runtime, mine)[1]) == (secret, OLD)


def test_an_app_that_zoom_does_not_let_rotate_is_one_sentence(
    admin: FlaskClient, runtime: Runtime, there: AtZoom, app_id: UUID
) -> None:
    there.own_scopes = []

    done = rotate(admin, app_id)

    assert (
        "Zoom does not let this app&#39;s own token rotate its client secret. Nothing "
        "was changed. Copy a new client secret from Zoom instead"
    ) in done.text
    assert stored(runtime, app_id)[1] == there.client_secret == OLD


def test_without_zooms_app_id_it_is_asked_for(
    admin: FlaskClient, runtime: Runtime, there: AtZoom
) -> None:
    mine = save(runtime, there.client_id, None)

    page = admin.get(f"/zoom-apps/{mine}/client-secret")
    done = rotate(admin, mine)

    assert "Zoom's app ID is not known yet." in page.text
    assert f"/zoom-apps/{mine}/delivery-log" in page.text
    assert "Zoom&#39;s app ID is not known yet." in done.text


def test_a_denied_rotation_changes_nothing(
    admin: FlaskClient,
    runtime: Runtime,
    sandbox: RunningSandbox,
    there: AtZoom,
    app_id: UUID,
) -> None:
    sandbox.zoom_world.switch(rotation="denied")

    done = rotate(admin, app_id)

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
    if how == "lost":
        path = f"{APPS}/*/rotate_client_secret"
        sandbox.zoom_faults.set([Fault(kind=FaultKind.LOST_ANSWER, path=path)])
    else:
        sandbox.zoom_world.switch(rotation=how)

    done = rotate(admin, app_id)

    assert "copy it and enter it here. The old one works until" in done.text
    assert stored(runtime, app_id)[1] == OLD


def test_support_may_not(as_role: SignIn, app_id: UUID) -> None:
    support = as_role(Role.SUPPORT)

    assert support.get(f"/zoom-apps/{app_id}/client-secret").status_code == 403
    assert support.post(f"/zoom-apps/{app_id}/client-secret").status_code == 403
