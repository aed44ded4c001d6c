"""The apps that Recall has, in the browser; for admins only."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.models.check import Finding, Source
from dashboard.models.staff import Role
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import App
from dashboard.services.validation import evidence
from tests.conftest import SignIn
from tests.fixtures.adoption import CLIENT_ID, LIST, AdoptingStage
from tests.fixtures.adoption_pages import admin, list_url, page_of, stage, url, words
from tests.makers import CLIENT_SECRET, NOON, SECRET_TOKEN

__all__ = ["admin", "stage"]

SECRETS = [CLIENT_SECRET.get_secret_value(), SECRET_TOKEN.get_secret_value()]


def recalls_row(page: BeautifulSoup, app: App) -> str:
    return words(page.select_one(f"#recall-app-{app.id}"))


def test_the_workspaces_lead_there(admin: FlaskClient, stage: AdoptingStage) -> None:
    page = page_of(admin.get("/workspaces/"))

    assert page.select_one(f"a[href='{list_url(stage)}']") is not None


def test_the_list_says_of_each_app_whose_it_is(
    admin: FlaskClient, stage: AdoptingStage
) -> None:
    ours, foreign = stage.by_hand("simOurs"), stage.by_hand()
    lonely = stage.by_hand("simLonely")
    spare, used = stage.by_hand("simTwice"), stage.by_hand("simTwice")
    stage.here(client_id="simOurs", recall_app_id=UUID(ours.id), name="Ours")
    stage.here(client_id="simTwice", recall_app_id=UUID(used.id), name="Twice")
    stage.here(client_id="simLonely", name="Lonely")

    page = page_of(admin.get(list_url(stage)))

    assert "Linked Ours (development)" in recalls_row(page, ours)
    assert "Not set up" in recalls_row(page, foreign)
    assert page.select_one(f"a[href='{url(stage, foreign)}']") is not None
    assert "Not linked" in recalls_row(page, lonely)
    assert "Duplicate" in recalls_row(page, spare)
    for twin in (spare, used):
        assert "Another app in Recall has this client ID" in recalls_row(page, twin)
    assert "Read at 12:00:00 UTC" in words(page.select_one(".page-lead"))
    assert not any(secret in page.text for secret in SECRETS)


def test_what_is_here_without_its_recall_app_is_brought_together(
    admin: FlaskClient, stage: AdoptingStage
) -> None:
    there = stage.by_hand()
    own = stage.here(client_id=CLIENT_ID)

    form = page_of(admin.get(list_url(stage))).select_one("form[action$='/adopt']")
    assert form is not None
    data = {one["name"]: one["value"] for one in form.select("input")}
    admin.post(str(form["action"]), data=data)

    assert stage.find(own.id).recall_app_id == UUID(there.id)


def test_an_empty_workspace_says_what_will_appear(
    admin: FlaskClient, stage: AdoptingStage
) -> None:
    assert "No apps in this workspace" in admin.get(list_url(stage)).text


@pytest.mark.parametrize(
    "kind", [FaultKind.HTML_403, FaultKind.NONSENSE, FaultKind.RATE_LIMITED]
)
def test_a_list_that_cannot_be_had_is_said_on_a_page_that_works(
    admin: FlaskClient, stage: AdoptingStage, kind: FaultKind
) -> None:
    stage.here(recall_app_id=uuid4(), name="Ours")
    stage.sandbox.recall_faults.set([Fault(kind=kind, path=LIST)])

    answer = admin.get(list_url(stage))

    page = page_of(answer)
    assert answer.status_code == 200
    assert "Couldn't read Recall's app list" in page.text
    assert "Recall couldn't be asked about these" in page.text
    assert "Deleted in Recall" not in page.text
    assert page.select_one(".page-actions a") is not None


def gone_app(stage: AdoptingStage, routing: Routing = Routing.RELAY) -> ZoomApp:
    made_at = NOON - timedelta(minutes=2)
    app = stage.here(recall_app_id=uuid4(), recall_created_at=made_at, routing=routing)
    with stage.runtime.database.writing() as session:
        evidence.record(
            session,
            zoom_app_id=app.id,
            source=Source.RECALL_API,
            finding=Finding.GONE,
            detail="Recall has no such app.",
            at=NOON - timedelta(minutes=1),
        )
    return app


@pytest.mark.parametrize("where", ["list", "page"])
@pytest.mark.parametrize("routing", list(Routing))
def test_an_app_that_is_gone_is_offered_to_be_created_again(
    admin: FlaskClient, stage: AdoptingStage, where: str, routing: Routing
) -> None:
    app = gone_app(stage, routing)
    address = list_url(stage) if where == "list" else f"/zoom-apps/{app.id}"

    dialog = page_of(admin.get(address)).select_one(f"#create-again-{app.id}")

    assert "Webhooks that Zoom sends until then are queued" in words(dialog)
    assert ("URL in Recall changes" in words(dialog)) is (routing is Routing.DIRECT)


def test_creating_again_leads_to_create_in_recall(
    admin: FlaskClient, stage: AdoptingStage
) -> None:
    app = gone_app(stage)

    answer = admin.post(f"/zoom-apps/{app.id}/create-again", follow_redirects=True)

    page = page_of(answer)
    form = page.select_one("form[action$='/create-in-recall']")
    assert form is not None
    assert form.select_one(f"option[value='{stage.workspace.id}'][selected]")
    assert stage.find(app.id).recall_app_id is None


def test_what_recall_still_has_is_not_created_again(
    admin: FlaskClient, stage: AdoptingStage
) -> None:
    there = stage.by_hand()
    app = stage.here(recall_app_id=UUID(there.id))

    answer = admin.post(f"/zoom-apps/{app.id}/create-again", follow_redirects=True)

    assert "Recall still has this app" in answer.text
    assert stage.find(app.id).recall_app_id == UUID(there.id)


def test_support_sees_that_it_is_gone_and_no_act(
    as_role: SignIn, stage: AdoptingStage
) -> None:
    app = gone_app(stage)

    page = page_of(as_role(Role.SUPPORT).get(f"/zoom-apps/{app.id}"))

    assert "This app was deleted in Recall" in page.text
    assert page.select_one(f"#create-again-{app.id}") is None
