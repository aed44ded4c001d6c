"""Taking over an app that was made in Recall by hand, in the browser."""

from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from dashboard.clients.zoom.oauth import ZoomOAuth
from dashboard.models.connection import ConnectAttempt, Connection
from dashboard.models.watch import Milestone
from dashboard.models.zoom_app import ZoomApp, ZoomCloud
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from tests.fixtures.adoption import CLIENT_ID, LIST, AdoptingStage
from tests.fixtures.adoption_pages import admin, list_url, page_of, stage, url, words
from tests.fixtures.connect import a_connect_stage
from tests.makers import CLIENT_SECRET, SECRET_TOKEN

__all__ = ["admin", "stage"]

SECRETS = [CLIENT_SECRET.get_secret_value(), SECRET_TOKEN.get_secret_value()]
TYPED = {
    "name": "By hand",
    "environment": "production",
    "scope_style": "granular",
    "routing": "direct",
    "client_secret": "",
    "secret_token": "",
}


def test_the_form_shows_what_recall_knows_and_no_secret(
    admin: FlaskClient, stage: AdoptingStage
) -> None:
    there = stage.by_hand(client_secret="***")

    answer = admin.get(url(stage, there))

    page = page_of(answer)
    assert CLIENT_ID in page.text
    assert "user-managed" in page.text
    assert "Recall doesn't show it" in words(page.select_one("#client_secret-hint"))
    assert "use the one stored in Recall" in words(
        page.select_one("#secret_token-hint")
    )
    assert page.select("[name=environment][checked]") == []
    assert not any(secret in answer.text for secret in SECRETS)


def test_an_app_is_taken_over_and_its_page_says_so(
    admin: FlaskClient, stage: AdoptingStage
) -> None:
    there = stage.by_hand()

    answer = admin.post(url(stage, there), data=TYPED, follow_redirects=True)

    (app,) = stage.all()
    assert answer.request.path == f"/zoom-apps/{app.id}"
    assert app.recall_app_id == UUID(there.id)
    assert "Zoom accepted the client ID and client secret" in answer.text
    assert "The secrets stored here were sent to Recall" in answer.text
    assert not any(secret in answer.text for secret in SECRETS)


def test_an_app_of_zoom_for_government_is_taken_over_as_such(
    admin: FlaskClient,
    stage: AdoptingStage,
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ZoomOAuth, "government_url", sandbox.zoom_url)
    there = stage.by_hand()

    admin.post(url(stage, there), data={**TYPED, "cloud": "government"})

    (app,) = stage.all()
    assert app.zoom_cloud is ZoomCloud.GOVERNMENT


def test_pressing_again_leads_to_the_same_page(
    admin: FlaskClient, stage: AdoptingStage
) -> None:
    there = stage.by_hand()

    both = [admin.post(url(stage, there), data=TYPED) for _ in range(2)]

    (app,) = stage.all()
    assert [one.location for one in both] == [f"/zoom-apps/{app.id}"] * 2


@pytest.mark.parametrize(
    ("held", "over", "field"),
    [
        ({}, {"name": ""}, "name"),
        ({}, {"environment": ""}, "environment"),
        ({}, {"client_secret": "test-wrong"}, "client_secret"),
        ({"client_secret": "test-wrong"}, {}, "client_secret"),
        ({"webhook_secret": "••••"}, {}, "secret_token"),
        ({}, {"secret_token": SECRETS[0]}, "secret_token"),
    ],
)
def test_what_cannot_be_taken_is_said_at_its_field_and_nothing_typed_is_lost(
    admin: FlaskClient,
    stage: AdoptingStage,
    held: dict[str, str],
    over: dict[str, str],
    field: str,
) -> None:
    there = stage.by_hand(**held)
    typed = {**TYPED, "scope_style": "legacy", **over}

    answer = admin.post(url(stage, there), data=typed)

    page = page_of(answer)
    assert answer.status_code == 422
    assert page.select_one(f"#{field}-error") is not None
    assert page.select_one("[name=scope_style][value=legacy][checked]") is not None
    assert CLIENT_ID in page.text
    assert not any(secret in answer.text for secret in SECRETS)
    assert stage.all() == []


def test_recall_being_down_keeps_what_was_typed(
    admin: FlaskClient, stage: AdoptingStage
) -> None:
    there = stage.by_hand()
    stage.sandbox.recall_faults.set([Fault(kind=FaultKind.DOWN, path=LIST)])

    shown = admin.get(url(stage, there))
    posted = admin.post(url(stage, there), data=TYPED)

    page = page_of(posted)
    assert shown.location == list_url(stage)
    assert posted.status_code == 422
    assert "Nothing was saved here" in page.text
    assert page.select_one("#name[value='By hand']") is not None
    assert stage.all() == []


def test_recall_failing_half_way_is_said_on_its_page(
    admin: FlaskClient, stage: AdoptingStage
) -> None:
    there = stage.by_hand()
    fault = Fault(kind=FaultKind.SERVER_ERROR, path=LIST, method="PATCH")
    stage.sandbox.recall_faults.set([fault])

    answer = admin.post(url(stage, there), data=TYPED, follow_redirects=True)

    (app,) = stage.all()
    assert answer.request.path == f"/zoom-apps/{app.id}"
    assert "not linked to its Recall app yet" in answer.text


def test_who_had_connected_comes_along(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    connected = a_connect_stage(runtime, sandbox)
    connected.connect()
    with runtime.database.writing() as session:
        for model in (ConnectAttempt, Connection, Milestone, ZoomApp):
            for row in session.exec(select(model)):
                session.delete(row)
            session.flush()
    address = (
        f"/workspaces/{connected.app.workspace_id}"
        f"/recall-apps/{connected.recall_app.id}/take-over"
    )

    answer = admin.post(address, data=TYPED, follow_redirects=True)

    assert "Imported 1 user" in answer.text


def test_users_are_brought_in_by_hand_too(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    connected = a_connect_stage(runtime, sandbox)
    row = connected.connect()
    with runtime.database.writing() as session:
        session.delete(session.get_one(Connection, row.id))
    listed = admin.get(f"/workspaces/{connected.app.workspace_id}/recall-apps")
    form = page_of(listed).select_one("form[action$='/bring-in']")
    assert form is not None

    first, again = (
        admin.post(str(form["action"]), follow_redirects=True).text for _ in range(2)
    )

    assert "Imported 1 user" in first
    assert "already here" in again
