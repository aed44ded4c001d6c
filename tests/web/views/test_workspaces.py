"""Workspaces in the browser; for admins only."""

from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from pydantic import SecretStr

from dashboard.clients.zoom.grants import GrantTokens
from dashboard.models.staff import Role
from dashboard.models.workspace import Verdict, Workspace
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.grants import grants
from dashboard.services.recall import callback_signatures, workspaces
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.makers import API_KEY, a_connection, a_workspace, a_zoom_app

KEY = API_KEY.get_secret_value()
TYPED = {"name": "Main", "region": "us-east-1", "api_key": KEY}


@pytest.fixture
def admin(as_role: SignIn, sandbox: RunningSandbox) -> FlaskClient:
    """An admin's browser; Recall knows the key."""
    sandbox.recall_world.add_workspace("us-east-1", KEY)
    return as_role(Role.ADMIN)


@pytest.fixture
def saved(runtime: Runtime) -> UUID:
    workspace = a_workspace(runtime.vault)
    with runtime.database.writing() as session:
        session.add(workspace)
    return workspace.id


def all_of(runtime: Runtime) -> list[Workspace]:
    with runtime.database.reading() as session:
        return list(workspaces.list_all(session))


def test_an_empty_list_says_what_to_do_first(admin: FlaskClient) -> None:
    page = BeautifulSoup(admin.get("/workspaces").text, "html5lib")

    assert page.select_one("a.btn-primary[href='/workspaces/new']") is not None


def test_a_right_key_is_saved_and_said(admin: FlaskClient) -> None:
    typed = TYPED | {"api_key": f" {KEY} "}

    answer = admin.post("/workspaces/new", data=typed, follow_redirects=True)

    assert answer.request.path == "/workspaces/"
    assert "Recall accepted the key" in answer.text
    assert "Spaces around the API key were removed" in answer.text
    assert KEY not in answer.text


def test_one_added_from_a_zoom_apps_page_leads_back_there(
    admin: FlaskClient, runtime: Runtime
) -> None:
    with runtime.database.writing() as session:
        app = a_zoom_app(runtime.vault)
        session.add(app)
        app_id = app.id
    page = BeautifulSoup(
        admin.get(f"/workspaces/new?zoom_app={app_id}").text, "html5lib"
    )
    form = page.select_one("form[action^='/workspaces/new']")
    assert form is not None

    answer = admin.post(str(form["action"]), data=TYPED)

    assert answer.status_code == 303
    [workspace] = all_of(runtime)
    assert answer.location.endswith(f"/zoom-apps/{app_id}?workspace={workspace.id}")


def test_an_address_that_is_no_zoom_apps_leads_nowhere_else(admin: FlaskClient) -> None:
    answer = admin.post("/workspaces/new?zoom_app=//example.org", data=TYPED)

    assert answer.location.endswith("/workspaces/")


def test_a_wrong_key_is_refused_with_what_was_typed(
    admin: FlaskClient, runtime: Runtime
) -> None:
    typed = TYPED | {"api_key": "test-wrong-key"}

    answer = admin.post("/workspaces/new", data=typed)

    page = BeautifulSoup(answer.text, "html5lib")
    assert answer.status_code == 422
    assert page.select("#name[value=Main]")
    assert page.select("#region option[value=us-east-1][selected]")
    assert page.select("#api_key[aria-invalid][value='']")
    assert "Please re-enter the key" in page.text
    assert "test-wrong-key" not in answer.text
    assert all_of(runtime) == []


def test_recall_being_down_is_saved_as_unchecked_and_checked_later(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    sandbox.recall_faults.set([Fault(kind=FaultKind.DOWN, path="/api/")])
    answer = admin.post("/workspaces/new", data=TYPED, follow_redirects=True)
    sandbox.recall_faults.set([])
    (saved,) = all_of(runtime)

    admin.post(f"/workspaces/{saved.id}/check")

    assert "Saved without a check" in answer.text
    assert saved.verdict is Verdict.UNKNOWN
    assert all_of(runtime)[0].verdict is Verdict.RIGHT


@pytest.mark.parametrize("field", ["name", "region", "api_key"])
def test_each_missing_value_has_its_sentence(admin: FlaskClient, field: str) -> None:
    typed = TYPED | {field: ""}

    answer = admin.post("/workspaces/new", data=typed)

    assert answer.status_code == 422
    assert BeautifulSoup(answer.text, "html5lib").select(f"#{field}-error")


def test_renaming_with_an_empty_key_keeps_the_key(
    admin: FlaskClient, runtime: Runtime, saved: UUID
) -> None:
    data = {"name": "Renamed", "api_key": ""}

    answer = admin.post(f"/workspaces/{saved}/edit", data=data)

    (kept,) = all_of(runtime)
    assert answer.status_code == 303
    assert kept.name == "Renamed"
    assert workspaces.api_key(runtime.vault, kept) == API_KEY


def test_a_wrong_new_key_is_refused(
    admin: FlaskClient, runtime: Runtime, saved: UUID
) -> None:
    data = {"name": "Renamed", "api_key": "test-wrong-key"}

    answer = admin.post(f"/workspaces/{saved}/edit", data=data)

    assert answer.status_code == 422
    assert all_of(runtime)[0].name == "Test workspace"


def test_the_pages_show_the_print_never_the_key(
    admin: FlaskClient, saved: UUID
) -> None:
    listed = admin.get("/workspaces/").text
    edited = admin.get(f"/workspaces/{saved}/edit").text

    assert KEY not in listed + edited
    assert "17 characters" in listed
    assert "17 characters" in edited


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/workspaces/"),
        ("GET", "/workspaces/new"),
        ("POST", "/workspaces/new"),
        ("GET", "/workspaces/{}/edit"),
        ("POST", "/workspaces/{}/edit"),
        ("POST", "/workspaces/{}/check"),
    ],
)
def test_workspaces_are_closed_to_support(
    as_role: SignIn, saved: UUID, method: str, path: str
) -> None:
    answer = as_role(Role.SUPPORT).open(path.format(saved), method=method)

    assert answer.status_code == 403


SECRET = "whsec_dGVzdC1rZXktb2YtdHdlbnR5LWZvdXItYnl0ZXM="


def typed_again(**over: str) -> dict[str, str]:
    return {"name": "Main", "api_key": "", "verification_secret": "", **over}


def test_a_verification_secret_is_kept_sealed_and_shown_by_its_print_only(
    admin: FlaskClient, runtime: Runtime, saved: UUID
) -> None:
    path = f"/workspaces/{saved}/edit"
    admin.post(path, data=typed_again(verification_secret=f" {SECRET}\n"))
    admin.post(path, data=typed_again(name="Renamed", requires_signature="y"))

    (kept,) = all_of(runtime)
    page = admin.get(path)
    assert callback_signatures.secret_of(runtime.vault, kept) == SecretStr(SECRET)
    assert (kept.name, kept.requires_signature) == ("Renamed", True)
    assert kept.verification_secret_print in page.text
    assert f"{len(SECRET)} characters" in page.text
    assert SECRET not in page.text
    assert BeautifulSoup(page.text, "html5lib").select("#requires_signature[checked]")


def test_the_first_secret_requires_signatures_until_an_admin_says_otherwise(
    admin: FlaskClient, runtime: Runtime, saved: UUID
) -> None:
    path = f"/workspaces/{saved}/edit"

    admin.post(path, data=typed_again(verification_secret=SECRET))
    first = all_of(runtime)[0].requires_signature
    admin.post(path, data=typed_again())
    second = all_of(runtime)[0].requires_signature
    admin.post(path, data=typed_again(verification_secret=SECRET))
    third = all_of(runtime)[0].requires_signature

    assert (first, second, third) == (True, False, False)


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"verification_secret": KEY}, "verification_secret"),
        ({"requires_signature": "y"}, "requires_signature"),
    ],
    ids=["the API key", "no secret to check with"],
)
def test_signing_that_cannot_be_is_refused_at_its_field(
    admin: FlaskClient,
    runtime: Runtime,
    saved: UUID,
    over: dict[str, str],
    field: str,
) -> None:
    answer = admin.post(
        f"/workspaces/{saved}/edit", data=typed_again(name="Renamed", **over)
    )

    (kept,) = all_of(runtime)
    page = BeautifulSoup(answer.text, "html5lib")
    assert answer.status_code == 422
    assert page.select(f"#{field}[aria-invalid]")
    assert page.select("#name[value=Renamed]")
    assert (kept.name, kept.requires_signature) == ("Test workspace", False)


def test_when_recall_last_asked_unsigned_is_said_beside_the_switch(
    admin: FlaskClient, runtime: Runtime, saved: UUID
) -> None:
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        app = a_zoom_app(runtime.vault, workspace_id=saved)
        session.add(app)
        session.flush()
        row = a_connection(app)
        session.add(row)
        session.flush()
        pair = GrantTokens(
            access_token=SecretStr("a"), refresh_token=SecretStr("b"), expires_in=3600
        )
        grant = grants.add(
            session, runtime.vault, row.id, pair, key="k", asked_at=now, now=now
        )
        grant.served_at = grant.unsigned_at = now

    page = " ".join(admin.get(f"/workspaces/{saved}/edit").text.split())

    assert "Recall last fetched a token" in page
    assert "Last unsigned request:" in page
