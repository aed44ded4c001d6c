"""Every bad answer of Zoom and Recall in every act: one sentence, nothing lost."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlmodel import select
from werkzeug.test import TestResponse

from dashboard.models.connection import TokenState
from dashboard.models.staff import Role
from dashboard.models.workspace import Verdict, Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import App, Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.bundle import Services
from tests.conftest import SignIn
from tests.connect_stage import a_connect_stage
from tests.makers import (
    API_KEY,
    CLIENT_SECRET,
    SECRET_TOKEN,
    FakeClock,
    a_workspace,
    a_zoom_app,
)

SECRETS = [one.get_secret_value() for one in (API_KEY, CLIENT_SECRET, SECRET_TOKEN)]
APPS = "/api/v2/zoom-oauth-apps/"
APP_LOGS = "/api/v2/zoom-oauth-app-logs/"
CREDENTIALS = "/api/v2/zoom-oauth-credentials/"

BY_RECALL = {
    FaultKind.DOWN: "Recall broke off before its answer was whole",
    FaultKind.HALF_ANSWER: "Recall broke off before its answer was whole",
    FaultKind.UNAVAILABLE: "Recall failed on its side (HTTP status 503)",
    FaultKind.SERVER_ERROR: "Recall failed on its side (HTTP status 500)",
    FaultKind.HTML_403: "firewall blocked the request, though neither localhost nor",
    FaultKind.FORBIDDEN: "Recall does not let this API key do that",
    FaultKind.NO_CREDIT: "out of credit",
    FaultKind.IN_FLIGHT: "still at work on an earlier request",
    FaultKind.RATE_LIMITED: "It is safe to try again in 7 seconds",
    FaultKind.RATE_LIMITED_BARE: "It is safe to try again in a minute",
    FaultKind.NONSENSE: "in another shape than",
    FaultKind.EMPTY: "answered with nothing where data was expected",
    FaultKind.PAGE: "answered with a web page where data was expected",
}
BY_ZOOM = {
    FaultKind.DOWN: "Zoom broke off before its answer was whole",
    FaultKind.HALF_ANSWER: "Zoom broke off before its answer was whole",
    FaultKind.UNAVAILABLE: "Zoom failed on its side (HTTP status 503)",
    FaultKind.SERVER_ERROR: "Zoom failed on its side (HTTP status 500)",
    FaultKind.HTML_403: "something in front of it blocked the request",
    FaultKind.FORBIDDEN: "Zoom refused with HTTP status 403",
    FaultKind.NO_CREDIT: "Zoom refused with HTTP status 402",
    FaultKind.IN_FLIGHT: "Zoom refused with HTTP status 409",
    FaultKind.RATE_LIMITED: "It is safe to try again in 7 seconds",
    FaultKind.RATE_LIMITED_BARE: "It is safe to try again in a while",
    FaultKind.NONSENSE: "its answer tells nothing about the pair",
    FaultKind.EMPTY: "its answer tells nothing about the pair",
    FaultKind.PAGE: "its answer tells nothing about the pair",
}
SECONDS = 7
TYPED = {
    "name": "Notetaker",
    "environment": "production",
    "kind": "account_level",
    "scope_style": "legacy",
    "client_id": "simClient0000000000001",
    "client_secret": SECRETS[1],
    "secret_token": SECRETS[2],
}


@dataclass(kw_only=True)
class Desk:
    """An admin at work, and what goes wrong meanwhile."""

    admin: FlaskClient
    services: Services
    sandbox: RunningSandbox
    clock: FakeClock
    said: dict[FaultKind, str] = field(default_factory=dict)

    def post(self, path: str, data: dict[str, Any] | None = None) -> TestResponse:
        return self.admin.post(path, data=data, follow_redirects=True)

    def try_each(
        self,
        faults: dict[FaultKind, str],
        act: Callable[[], TestResponse],
        *,
        path: str,
        method: str | None = None,
    ) -> dict[FaultKind, str]:
        """Do it once under each fault; return what the page said each time."""
        for kind in faults:
            fault = Fault(kind=kind, path=path, method=method, seconds=SECONDS)
            self.sandbox.zoom_faults.set([fault])
            self.sandbox.recall_faults.set([fault])
            answer = act()
            self.sandbox.zoom_faults.set([])
            self.sandbox.recall_faults.set([])
            self.clock.advance(minutes=2)  # a pause that Recall asked for is over
            assert answer.status_code == 200, kind
            assert not [one for one in SECRETS if one in answer.text], kind
            self.said[kind] = flash_of(answer)
        return self.said

    def add(self, *rows: Any) -> None:
        with self.services.database.writing() as session:
            for row in rows:
                session.add(row)
                session.flush()

    def app(self) -> ZoomApp:
        with self.services.database.reading() as session:
            return session.exec(select(ZoomApp)).one()


def without(faults: dict[FaultKind, str], *kinds: FaultKind) -> dict[FaultKind, str]:
    return {kind: words for kind, words in faults.items() if kind not in kinds}


def flash_of(answer: TestResponse) -> str:
    """Return the one message of the page."""
    page = BeautifulSoup(answer.text, "html5lib")
    found = [one.get_text(" ", strip=True) for one in page.select("#flashes .banner")]
    return found[0] if len(found) == 1 else f"not one message but {found}"


def missing(said: dict[FaultKind, str], faults: dict[FaultKind, str]) -> list[str]:
    """Return what was said without the words of its fault, or not to its end."""
    return [
        f"{kind}: {said.get(kind)}"
        for kind, words in faults.items()
        if words not in said.get(kind, "") or not said[kind].endswith(".")
    ]


@pytest.fixture
def desk(
    as_role: SignIn, services: Services, sandbox: RunningSandbox, clock: FakeClock
) -> Desk:
    sandbox.recall_world.add_workspace("us-east-1", SECRETS[0])
    admin = as_role(Role.ADMIN)
    return Desk(admin=admin, services=services, sandbox=sandbox, clock=clock)


def test_entering_a_pair_saves_it_as_unchecked(desk: Desk) -> None:
    numbers = iter(range(100))

    def enter() -> TestResponse:
        other = {"client_id": f"simClient{next(numbers):012}"}
        return desk.post("/zoom-apps/new", TYPED | other)

    said = desk.try_each(BY_ZOOM, enter, path="/oauth/token")

    with desk.services.database.reading() as session:
        saved = session.exec(select(ZoomApp)).all()
    assert missing(said, BY_ZOOM) == []
    assert all(one.startswith("Saved, but unchecked.") for one in said.values())
    assert [one.verdict for one in saved] == [Verdict.UNKNOWN] * len(BY_ZOOM)
    assert not [one for one in said.values() if "carried out all the same" in one]


def test_checking_a_pair_again_leaves_the_answer_before(desk: Desk) -> None:
    app = a_zoom_app(
        desk.services.vault, verdict=Verdict.RIGHT, verdict_reason="It was right."
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
    app, chosen = a_zoom_app(desk.services.vault), a_workspace(desk.services.vault)
    other = a_workspace(desk.services.vault, name="A first one", region="eu-central-1")
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
    app, workspace = a_zoom_app(desk.services.vault), a_workspace(desk.services.vault)
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
    assert all(one.startswith("Nothing was adopted here.") for one in said.values())
    assert desk.app().recall_app_id is None


def test_updating_in_recall_says_that_recall_was_not_updated(desk: Desk) -> None:
    app, workspace = a_zoom_app(desk.services.vault), a_workspace(desk.services.vault)
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

    with desk.services.database.reading() as session:
        saved = session.exec(select(Workspace).order_by(Workspace.checked_at)).all()  # type: ignore[arg-type]  # a column
    no_credit = said.pop(FaultKind.NO_CREDIT)
    assert missing(said, {kind: BY_RECALL[kind] for kind in said}) == []
    assert all(one.startswith("Saved, but unchecked.") for one in said.values())
    assert no_credit == (
        "Saved. Recall takes the key, but says the workspace is out of credit. "
        "Whoever pays for it can add credit in Recall's dashboard."
    )
    assert len(saved) == len(BY_RECALL)
    assert all(one.verdict_reason.endswith(".") for one in saved)


def test_looking_at_a_connection_blames_no_user(
    desk: Desk, services: Services, sandbox: RunningSandbox
) -> None:
    row = a_connect_stage(services, sandbox).connect()
    nobodys = "This is nobody's fault here and needs no one"
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

    said = desk.try_each(
        faults,
        lambda: desk.post(f"/connections/{row.id}/check"),
        path=f"{CREDENTIALS}{row.recall_credential_id}/",
        method="GET",
    )

    with services.database.reading() as session:
        kept = session.get_one(type(row), row.id)
    assert missing(said, faults) == []
    assert kept.token_state is TokenState.UNKNOWN
    assert (kept.email, kept.pmi) == ("ana@example.com", 5551234567)


@pytest.mark.parametrize("act", ["sync", "disconnect"])
def test_acts_on_a_connection_are_told_on_its_page(
    desk: Desk, services: Services, sandbox: RunningSandbox, act: str
) -> None:
    row = a_connect_stage(services, sandbox).connect()
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

    with services.database.reading() as session:
        assert session.get(type(row), row.id) is not None
    assert missing(said, faults) == []


@pytest.mark.parametrize("envelope", ["drf", "invalid_request_data"])
def test_a_field_that_recall_refuses_is_told_with_recalls_reason(
    desk: Desk, envelope: str
) -> None:
    too_long = SecretStr("test-secret-token-" * 12)
    app = a_zoom_app(desk.services.vault, secret_token=too_long)
    workspace = a_workspace(desk.services.vault)
    desk.add(workspace, app)
    desk.sandbox.recall_world.set_switches({"error_envelope": envelope})

    answer = desk.post(
        f"/zoom-apps/{app.id}/create-in-recall", {"workspace_id": str(workspace.id)}
    )

    assert flash_of(answer).startswith(
        "Recall refused what was sent, and nothing was changed. An admin can act on "
        "the reason it gave. Recall said: "
    )
    assert "webhook_secret: Ensure this field has no more than 200" in flash_of(answer)
    assert too_long.get_secret_value() not in answer.text
