"""Every bad answer of Zoom and Recall in every act: one sentence, nothing lost."""

from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from pydantic import SecretStr
from sqlmodel import select
from werkzeug.test import TestResponse

from dashboard.models.connection import TokenState
from dashboard.models.workspace import Verdict, Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import FaultKind
from dashboard.sandbox.recall.records import App, Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from tests.fixtures.bad_answers import (
    APP_LOGS,
    APPS,
    BY_RECALL,
    BY_ZOOM,
    CREDENTIALS,
    SECRETS,
    TYPED,
    Desk,
    desk,
    flash_of,
    missing,
    without,
)
from tests.fixtures.connect import a_connect_stage
from tests.makers import (
    a_workspace,
    a_zoom_app,
)

__all__ = ["desk"]


def test_entering_a_pair_saves_it_as_unchecked(desk: Desk) -> None:
    numbers = iter(range(100))

    def enter() -> TestResponse:
        other = {"client_id": f"simClient{next(numbers):012}"}
        return desk.post("/zoom-apps/new", TYPED | other)

    said = desk.try_each(BY_ZOOM, enter, path="/oauth/token")

    with desk.runtime.database.reading() as session:
        saved = session.exec(select(ZoomApp)).all()
    assert missing(said, BY_ZOOM) == []
    assert all(one.startswith("Saved, but not verified.") for one in said.values())
    assert [one.verdict for one in saved] == [Verdict.UNKNOWN] * len(BY_ZOOM)
    assert not [
        one for one in said.values() if "may still have been carried out" in one
    ]


def test_checking_a_pair_again_leaves_the_answer_before(desk: Desk) -> None:
    app = a_zoom_app(
        desk.runtime.vault, verdict=Verdict.RIGHT, verdict_reason="It was right."
    )
    desk.add(app)

    said = desk.try_each(
        BY_ZOOM, lambda: desk.post(f"/zoom-apps/{app.id}/check"), path="/oauth/token"
    )

    assert missing(said, BY_ZOOM) == []
    assert (desk.app().verdict, desk.app().verdict_reason) == (
        Verdict.RIGHT,
        "It was right.",
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_creating_in_recall_makes_nothing_and_keeps_the_workspace_chosen(
    desk: Desk, method: str
) -> None:
    app, chosen = a_zoom_app(desk.runtime.vault), a_workspace(desk.runtime.vault)
    other = a_workspace(desk.runtime.vault, name="A first one", region="eu-central-1")
    desk.add(other, chosen, app)
    # After half an answer the app is there, and found: tests/services.
    halves = {FaultKind.HALF_ANSWER} if method == "POST" else set()
    faults = without(BY_RECALL, *halves)
    pages: list[BeautifulSoup] = []

    def create() -> TestResponse:
        data = {"workspace_id": str(chosen.id)}
        answer = desk.post(f"/zoom-apps/{app.id}/create-in-recall", data)
        pages.append(BeautifulSoup(answer.text, "html5lib"))
        return answer

    said = desk.try_each(faults, create, path=APPS, method=method)

    still_chosen = [
        page.select(f"option[value='{chosen.id}'][selected]") for page in pages
    ]
    assert missing(said, faults) == []
    assert all(still_chosen)
    assert desk.sandbox.recall_world.apps == {}
    assert desk.app().recall_app_id is None
    desk.post(f"/zoom-apps/{app.id}/create-in-recall", {"workspace_id": str(chosen.id)})
    assert len(desk.sandbox.recall_world.apps) == 1
    assert desk.app().recall_app_id is not None


def in_recall(desk: Desk, app: ZoomApp) -> App:
    world = desk.sandbox.recall_world
    return world.add_app(
        world.workspaces[SECRETS[0]],
        kind=Kind(app.kind),
        client_id=app.client_id,
        client_secret="test-older-secret",
        webhook_secret="test-older-token",
    )


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_adopting_stores_nothing(desk: Desk, method: str) -> None:
    app, workspace = a_zoom_app(desk.runtime.vault), a_workspace(desk.runtime.vault)
    desk.add(workspace, app)
    there = in_recall(desk, app)
    data = {"workspace_id": str(workspace.id), "recall_app_id": there.id}

    said = desk.try_each(
        BY_RECALL,
        lambda: desk.post(f"/zoom-apps/{app.id}/adopt", data),
        path=APPS,
        method=method,
    )

    assert missing(said, BY_RECALL) == []
    assert all(one.startswith("Nothing was adopted.") for one in said.values())
    assert desk.app().recall_app_id is None


def test_updating_in_recall_says_that_recall_was_not_updated(desk: Desk) -> None:
    app, workspace = a_zoom_app(desk.runtime.vault), a_workspace(desk.runtime.vault)
    app.recall_app_id, app.workspace_id = UUID(in_recall(desk, app).id), workspace.id
    desk.add(workspace, app)

    said = desk.try_each(
        BY_RECALL,
        lambda: desk.post(f"/zoom-apps/{app.id}/update-in-recall"),
        path=APPS,
        method="PATCH",
    )

    assert missing(said, BY_RECALL) == []
    assert desk.app().recall_app_id == app.recall_app_id


def test_adding_a_workspace_saves_it_as_unchecked(desk: Desk) -> None:
    numbers = iter(range(100))

    def enter() -> TestResponse:
        key = desk.sandbox.recall_world.add_workspace(
            "us-east-1", f"test-api-key-1{next(numbers):03}"
        )
        data = {"name": "Main", "region": "us-east-1", "api_key": key.api_key}
        return desk.post("/workspaces/new", data)

    said = desk.try_each(BY_RECALL, enter, path=APP_LOGS)

    with desk.runtime.database.reading() as session:
        saved = session.exec(select(Workspace).order_by(Workspace.checked_at)).all()  # type: ignore[arg-type]  # a column
    no_credit = said.pop(FaultKind.NO_CREDIT)
    assert missing(said, {kind: BY_RECALL[kind] for kind in said}) == []
    assert all(one.startswith("Saved without a check.") for one in said.values())
    assert no_credit == (
        "Saved. Recall accepted the key, but the workspace is out of credit. "
        "Add credit in Recall's dashboard."
    )
    assert len(saved) == len(BY_RECALL)
    assert all(one.verdict_reason.endswith(".") for one in saved)


def test_looking_at_a_connection_blames_no_user(
    desk: Desk, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    row = a_connect_stage(runtime, sandbox).connect()
    nobodys = "The last known state is unchanged."
    faults = BY_RECALL | dict.fromkeys(
        (
            FaultKind.DOWN,
            FaultKind.HALF_ANSWER,
            FaultKind.UNAVAILABLE,
            FaultKind.SERVER_ERROR,
            FaultKind.IN_FLIGHT,
        ),
        nobodys,
    )
    faults[FaultKind.FORBIDDEN] = "an admin must check the key"

    said = desk.try_each(
        faults,
        lambda: desk.post(f"/connections/{row.id}/check"),
        path=f"{CREDENTIALS}{row.recall_credential_id}/",
        method="GET",
    )

    with runtime.database.reading() as session:
        kept = session.get_one(type(row), row.id)
    assert missing(said, faults) == []
    assert kept.token_state is TokenState.UNKNOWN
    assert (kept.email, kept.pmi) == ("ana@example.com", 5551234567)


@pytest.mark.parametrize("act", ["sync", "disconnect"])
def test_acts_on_a_connection_are_told_on_its_page(
    desk: Desk, runtime: Runtime, sandbox: RunningSandbox, act: str
) -> None:
    row = a_connect_stage(runtime, sandbox).connect()
    # What has no body to be read cannot be nonsense.
    unread = {FaultKind.NONSENSE, FaultKind.EMPTY, FaultKind.PAGE}
    # Half an answer is to work that is done, which looking again finds.
    faults = without(BY_RECALL, *unread, FaultKind.HALF_ANSWER)

    said = desk.try_each(
        faults,
        lambda: desk.post(f"/connections/{row.id}/{act}"),
        path=f"{CREDENTIALS}{row.recall_credential_id}/",
        method="DELETE" if act == "disconnect" else "POST",
    )

    with runtime.database.reading() as session:
        assert session.get(type(row), row.id) is not None
    assert missing(said, faults) == []


@pytest.mark.parametrize("envelope", ["drf", "invalid_request_data", "detail"])
def test_a_field_that_recall_refuses_is_told_with_recalls_reason(
    desk: Desk, envelope: str
) -> None:
    too_long = SecretStr("test-secret-token-" * 12)
    app = a_zoom_app(desk.runtime.vault, secret_token=too_long)
    workspace = a_workspace(desk.runtime.vault)
    desk.add(workspace, app)
    desk.sandbox.recall_world.set_switches({"error_envelope": envelope})

    answer = desk.post(
        f"/zoom-apps/{app.id}/create-in-recall", {"workspace_id": str(workspace.id)}
    )

    assert flash_of(answer).startswith(
        "Recall rejected the request, and nothing was changed. An admin can fix it "
        "using the reason Recall gave. Recall said: "
    )
    assert "webhook_secret: Ensure this field has no more than 200" in flash_of(answer)
    assert too_long.get_secret_value() not in answer.text
