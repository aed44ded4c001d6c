"""Pre-approval requests: listed and approved where Zoom lets the app's own token."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlmodel import select

from dashboard.models.audit import AuditEntry
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.zoom.errors import RefusedError
from dashboard.sandbox.zoom.records import ZoomApp as AtZoom
from tests.fixtures.connect import ConnectStage


@pytest.fixture
def waiting(stage: ConnectStage) -> ConnectStage:
    """An app whose user Ana waits for her admin."""
    world = stage.sandbox.zoom_world
    world.switch(pre_approval=True)
    with stage.runtime.database.writing() as session:
        app = session.get_one(ZoomApp, stage.app.id)
        app.marketplace_app_id = at_zoom(stage).app_id
        session.add(app)
    with pytest.raises(RefusedError):
        stage.allow(stage.begin())
    return stage


def at_zoom(stage: ConnectStage) -> AtZoom:
    return stage.sandbox.zoom_world.state.app(stage.app.client_id)


def url(stage: ConnectStage) -> str:
    return f"/zoom-apps/{stage.app.id}/approvals"


def words(answer: Any) -> str:
    return " ".join(BeautifulSoup(answer.text, "html5lib").get_text(" ").split())


def test_an_admin_sees_who_waits_and_approves_them(
    admin: FlaskClient, waiting: ConnectStage
) -> None:
    listed = admin.post(url(waiting))
    assert waiting.ana.email in words(listed)
    assert "pending" in words(listed)

    done = admin.post(
        f"{url(waiting)}/approve",
        data={"user": waiting.ana.id},
        follow_redirects=True,
    )

    assert "Approved at Zoom. The user can connect now." in words(done)
    assert waiting.connect().zoom_user_id == waiting.ana.id
    with waiting.runtime.database.reading() as session:
        acts = session.exec(select(AuditEntry.act)).all()
    assert "approval.given" in acts


def test_support_sees_and_approves_nobody(
    support: FlaskClient, waiting: ConnectStage
) -> None:
    assert waiting.ana.email in words(support.post(url(waiting)))
    approve = support.post(f"{url(waiting)}/approve", data={"user": waiting.ana.id})
    assert approve.status_code == 403


def test_where_zoom_does_not_allow_it_the_page_says_who_approves(
    admin: FlaskClient, waiting: ConnectStage
) -> None:
    at_zoom(waiting).own_scopes = []

    listed = words(admin.post(url(waiting)))
    approved = words(
        admin.post(
            f"{url(waiting)}/approve",
            data={"user": waiting.ana.id},
            follow_redirects=True,
        )
    )

    said = "An admin of the users' account approves the app in Zoom"
    assert f"Zoom does not let this app's own token do that. {said}" in listed
    assert f"Zoom does not let this app's own token do that. {said}" in approved


@pytest.mark.parametrize("fault", [FaultKind.DOWN, FaultKind.PAGE, FaultKind.NONSENSE])
def test_a_zoom_that_fails_is_said(
    admin: FlaskClient, waiting: ConnectStage, fault: FaultKind
) -> None:
    waiting.sandbox.zoom_faults.set([Fault(kind=fault, path="/v2/marketplace/")])

    answer = admin.post(url(waiting))

    assert answer.status_code == 200
    assert "Zoom gave no list." in words(answer) or "No requests" in words(answer)


def test_without_zooms_app_id_nothing_is_asked(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    answer = admin.post(url(stage))

    assert answer.status_code == 409
    assert "Zoom's app ID is not known yet." in words(answer)


@pytest.mark.parametrize("user", ["", "x" * 65])
def test_what_is_no_user_is_refused(
    admin: FlaskClient, waiting: ConnectStage, user: str
) -> None:
    answer = admin.post(f"{url(waiting)}/approve", data={"user": user})

    assert answer.status_code == 422


def test_a_user_who_did_not_ask_is_refused_by_zoom(
    admin: FlaskClient, waiting: ConnectStage
) -> None:
    answer = admin.post(
        f"{url(waiting)}/approve", data={"user": "stranger"}, follow_redirects=True
    )

    assert "The request does not exist." in words(answer)
