"""Zoom apps in the browser: entering and editing a pair."""

from uuid import UUID, uuid4

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboard.models.check import Finding, Source
from dashboard.models.connection import TokenState
from dashboard.models.staff import Role
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from dashboard.services.validation import evidence
from dashboard.services.zoom_apps import apps
from tests.conftest import SignIn
from tests.fixtures.setup import a_check, save_app, save_everything
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


TYPED = {
    "name": "Notetaker",
    "environment": "production",
    "kind": "account_level",
    "scope_style": "legacy",
    "client_id": CLIENT_ID,
    "client_secret": SECRETS[0],
    "secret_token": SECRETS[1],
}


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


def test_an_empty_list_says_what_to_do_first(admin: FlaskClient) -> None:
    page = page_of(admin.get("/zoom-apps"))

    assert "No zoom app yet" in page.text
    assert page.select_one("a.btn-primary[href='/zoom-apps/new']") is not None


def test_a_right_pair_is_saved_and_its_page_says_so(
    admin: FlaskClient, runtime: Runtime
) -> None:
    answer = admin.post("/zoom-apps/new", data=TYPED, follow_redirects=True)

    kept = only(runtime)
    assert answer.request.path == f"/zoom-apps/{kept.id}"
    assert "Zoom accepted the client ID and client secret" in answer.text
    assert (kept.environment, kept.kind, kept.scope_style) == (
        "production",
        "account_level",
        "legacy",
    )


def test_white_space_pasted_around_values_is_removed_and_said(
    admin: FlaskClient, runtime: Runtime
) -> None:
    pasted = TYPED | {"client_secret": f" {SECRETS[0]}\n"}

    answer = admin.post("/zoom-apps/new", data=pasted, follow_redirects=True)

    assert "Removed white space around the client secret" in answer.text
    assert only(runtime).verdict is Verdict.RIGHT


def test_a_wrong_pair_keeps_what_was_typed_but_no_secret_and_says_so(
    admin: FlaskClient, runtime: Runtime
) -> None:
    typed = TYPED | {"client_secret": "test-wrong-secret"}

    answer = admin.post("/zoom-apps/new", data=typed)

    page = page_of(answer)
    assert answer.status_code == 422
    assert page.select("#client_id[value=simClient0000000000001][aria-invalid]")
    assert page.select("#client_secret[aria-invalid][value='']")
    assert page.select("#environment-1[checked]")
    assert "App Credentials, tab Production" in page.text
    assert "Please re-enter this secret" in page.text
    assert "test-wrong-secret" not in answer.text
    with runtime.database.reading() as session:
        assert not apps.list_all(session)


def test_a_wrong_secret_is_said_at_the_top_and_keeps_the_token(
    admin: FlaskClient, runtime: Runtime
) -> None:
    wrong = admin.post(
        "/zoom-apps/new", data=TYPED | {"client_secret": "test-wrong-secret"}
    )
    page = page_of(wrong)
    kept = str(page.select("input[name=kept_token]")[0]["value"])

    saved = admin.post(
        "/zoom-apps/new", data=TYPED | {"secret_token": "", "kept_token": kept}
    )

    [summary] = page.select("form > .banner[role=alert][autofocus]")
    assert [one["href"] for one in summary.select("a")] == [
        "#client_id",
        "#client_secret",
    ]
    assert SECRETS[1] not in wrong.text
    assert "Leave empty to use what you entered" in page.text
    assert saved.status_code == 303
    with runtime.database.reading() as session:
        [row] = apps.list_all(session)
    [token] = apps.secret_tokens(runtime.vault, row)
    assert token.secret.get_secret_value() == SECRETS[1]


@pytest.mark.parametrize("kept", ["", "zz", "00", "ab" * 60])
def test_a_kept_token_that_is_none_is_asked_for(admin: FlaskClient, kept: str) -> None:
    answer = admin.post(
        "/zoom-apps/new", data=TYPED | {"secret_token": "", "kept_token": kept}
    )

    assert answer.status_code == 422
    assert len(page_of(answer).select("#secret_token-error")) == 1


@pytest.mark.parametrize("number", [1, 2, 3])
def test_of_several_workspaces_none_is_chosen_before_somebody_does(
    admin: FlaskClient, runtime: Runtime, entered: tuple[UUID, UUID], number: int
) -> None:
    app_id, first = entered
    with runtime.database.writing() as session:
        for name in range(number - 1):
            session.add(
                a_workspace(runtime.vault, name=f"W{name}", api_key_print=f"p{name}")
            )

    page = page_of(admin.get(f"/zoom-apps/{app_id}"))
    pressed = admin.post(
        f"/zoom-apps/{app_id}/create-in-recall",
        data={"workspace_id": ""},
        follow_redirects=True,
    )
    chosen = page_of(admin.get(f"/zoom-apps/{app_id}?workspace={first}"))

    options = page.select("#workspace_id option")
    assert len(options) == (number + 1 if number > 1 else 1)
    assert (options[0]["value"] == "") is (number > 1)
    assert "Choose a workspace first." in pressed.text
    [selected] = chosen.select("#workspace_id option[selected]")
    assert selected["value"] == str(first)


@pytest.mark.parametrize("field", TYPED)
def test_each_missing_value_has_its_sentence(admin: FlaskClient, field: str) -> None:
    typed = {name: value for name, value in TYPED.items() if name != field}
    bad = typed | ({field: "nonsense"} if field.endswith(("style", "kind")) else {})
    bad |= {"environment": "nonsense"} if field == "environment" else {}

    answer = admin.post("/zoom-apps/new", data=bad)

    assert answer.status_code == 422
    assert len(page_of(answer).select(f"#{field}-error")) == 1
    assert not any(secret in answer.text for secret in SECRETS)


def test_zoom_being_down_is_saved_and_said_to_be_unchecked(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    sandbox.zoom_faults.set([Fault(kind=FaultKind.UNAVAILABLE, path="/oauth/token")])

    answer = admin.post("/zoom-apps/new", data=TYPED, follow_redirects=True)

    assert "Saved, but not verified" in answer.text
    assert tone(page_of(answer), "pair") == ["tone-waiting"]
    sandbox.zoom_faults.set([])
    again = admin.post(f"/zoom-apps/{only(runtime).id}/check", follow_redirects=True)
    assert tone(page_of(again), "pair") == ["tone-good"]


@pytest.mark.parametrize("activation", ["disabled", "disabled_bare"])
def test_an_app_that_is_not_activated_is_saved_and_told_as_such(
    admin: FlaskClient,
    runtime: Runtime,
    sandbox: RunningSandbox,
    activation: str,
) -> None:
    sandbox.zoom_world.switch(app_activation=activation)

    answer = admin.post("/zoom-apps/new", data=TYPED, follow_redirects=True)

    page = page_of(answer)
    overview = admin.get("/").text
    assert "The app has been disabled by the developer" in page.text
    assert "Activate the app in Zoom's Marketplace" in page.text
    assert "Zoom has switched this app off in its Marketplace." in page.text
    assert "in its Marketplace" in overview
    for wrong in ("do not belong together", "wrong", "Compare both", "access token"):
        assert wrong not in page.text
    assert tone(page, "pair") == ["tone-trouble"]
    sandbox.zoom_world.switch(app_activation="on")
    again = admin.post(f"/zoom-apps/{only(runtime).id}/check", follow_redirects=True)
    assert tone(page_of(again), "pair") == ["tone-good"]
    assert "switched this app off" not in again.text


def test_an_app_that_is_switched_off_later_is_no_longer_called_accepted(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    admin.post("/zoom-apps/new", data=TYPED, follow_redirects=True)
    sandbox.zoom_world.switch(app_activation="disabled")

    again = admin.post(f"/zoom-apps/{only(runtime).id}/check", follow_redirects=True)

    assert only(runtime).verdict is Verdict.UNKNOWN
    assert "Zoom has switched this app off" in again.text


@pytest.mark.parametrize("activation", ["odd", "unauthorized"])
def test_a_refusal_with_unknown_words_is_told_in_zooms_own(
    admin: FlaskClient, sandbox: RunningSandbox, activation: str
) -> None:
    sandbox.zoom_world.switch(app_activation=activation)

    answer = admin.post("/zoom-apps/new", data=TYPED, follow_redirects=True)

    words = {
        "odd": 'Zoom refused the pair and said: "This is not possible at present".',
        "unauthorized": 'Zoom refused the app and said: "unauthorized_client".',
    }
    assert words[activation] in page_of(answer).text
    assert "access token" not in answer.text


def test_a_client_id_that_is_here_already_is_said_at_its_field(
    admin: FlaskClient,
) -> None:
    admin.post("/zoom-apps/new", data=TYPED)

    answer = admin.post("/zoom-apps/new", data=TYPED)

    assert answer.status_code == 422
    (error,) = page_of(answer).select("#client_id-error")
    assert "already" in error.text


def test_an_empty_secret_keeps_the_stored_one(
    admin: FlaskClient, runtime: Runtime, entered: tuple[UUID, UUID]
) -> None:
    answer = admin.post(
        f"/zoom-apps/{entered[0]}/edit",
        data={"name": "Renamed", "routing": "direct", "secret_token": ""},
    )

    kept = only(runtime)
    assert answer.status_code == 303
    assert (kept.name, kept.routing.value) == ("Renamed", "direct")
    assert apps.secret_token(runtime.vault, kept) == SECRET_TOKEN


def test_a_new_secret_token_reaches_recall_as_well(
    admin: FlaskClient, sandbox: RunningSandbox, entered: tuple[UUID, UUID]
) -> None:
    path = f"/zoom-apps/{entered[0]}"
    admin.post(f"{path}/create-in-recall", data={"workspace_id": str(entered[1])})

    answer = admin.post(
        f"{path}/edit",
        data={
            "name": "Notetaker",
            "routing": "relay",
            "secret_token": "test-secret-token-0002",
        },
        follow_redirects=True,
    )

    (made,) = sandbox.recall_world.apps.values()
    assert made.webhook_secret == "test-secret-token-0002"
    assert "Recall now has the same secrets" in answer.text


def test_the_edit_page_shows_when_how_long_and_the_print_never_the_secret(
    admin: FlaskClient, runtime: Runtime, entered: tuple[UUID, UUID]
) -> None:
    answer = admin.get(f"/zoom-apps/{entered[0]}/edit")

    assert only(runtime).secret_token_print in answer.text
    assert "22 characters" in answer.text
    assert not any(secret in answer.text for secret in SECRETS)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/zoom-apps/new", "/zoom-apps/{}/edit"])
def test_support_may_not_enter_or_edit(
    as_role: SignIn, entered: tuple[UUID, UUID], method: str, path: str
) -> None:
    answer = as_role(Role.SUPPORT).open(path.format(entered[0]), method=method)

    assert answer.status_code == 403


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
    assert "never creates a duplicate" in answer.text
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
            detail="Validation request from Zoom was answered.",
            took_ms=3.2,
            at=NOON,
        )

    part = admin.get(path, headers={"HX-Request": "true"})
    whole = admin.get(path)

    page = BeautifulSoup(part.text, "html5lib")
    assert page.select("#zoom-app-validation #ours[data-state=valid]")
    assert "answered (3 ms)" in page.text
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


QUESTIONS = "/zoom-apps/new/scopes"


def test_the_first_question_is_which_zoom_app(admin: FlaskClient) -> None:
    page = page_of(admin.get("/zoom-apps/new"))

    form = page.select_one("form[method=get]")
    assert form is not None
    assert form["action"] == QUESTIONS
    first = form.select_one("fieldset")
    assert first is not None
    assert "Which Zoom app?" in first.text
    assert [one["value"] for one in first.select("input")] == [
        *("new", "for_me", "oauth", "sdk")
    ]
    assert not page.select("main input[type=password]")


@pytest.mark.parametrize(
    ("answers", "listed"),
    [
        ("", {"meeting:read:local_recording_token", "user:read:user"}),
        ("kind=account_level", {"user:read:list_users:admin"}),
        ("external=yes", {"user:read:token", "user:read:zak"}),
        ("scope_style=legacy&app=oauth", {"meeting_token:read:local_recording"}),
    ],
)
def test_the_answers_decide_the_scopes_which_come_before_the_credentials(
    admin: FlaskClient, answers: str, listed: set[str]
) -> None:
    query = f"app=new&kind=user_level&scope_style=granular&external=no&{answers}"
    last = dict(pair.split("=") for pair in query.rstrip("&").split("&"))

    page = page_of(admin.get(QUESTIONS, query_string=last))

    assert listed <= {one["title"] for one in page.select("dt code")}
    note = page.select_one(".copy-text pre")
    assert note is not None
    assert all(f"{name}: Used to" in note.text for name in listed)
    (on,) = page.select("a.btn-primary")
    form = page_of(admin.get(str(on["href"])))
    chosen = {str(one["name"]): one["value"] for one in form.select("input[checked]")}
    for name in ("kind", "scope_style", "external"):
        assert chosen[name] == last[name]


def test_a_new_app_is_made_in_zoom_first_and_another_is_only_opened(
    admin: FlaskClient, runtime: Runtime
) -> None:
    def steps(app: str) -> str:
        page = page_of(admin.get(QUESTIONS, query_string={"app": app} | REST))
        found = page.select_one("ol.plain-steps")
        assert found is not None
        link = found.select_one("a")
        assert link is not None
        assert link["href"] == f"{runtime.settings.zoom_url}/marketplace/"
        return " ".join(found.text.split())

    assert "General App" in steps("new")
    assert "General App" not in steps("oauth")


REST = {"kind": "user_level", "scope_style": "granular", "external": "no"}


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (
            {"app": "sdk", "kind": "account_level"},
            "A Meeting SDK app can only be user-managed.",
        ),
        ({"kind": "nonsense"}, "Not a valid choice"),
        ({"app": "nonsense"}, "Not a valid choice"),
    ],
)
def test_an_answer_that_cannot_be_is_asked_again(
    admin: FlaskClient, bad: dict[str, str], sentence: str
) -> None:
    answer = admin.get(QUESTIONS, query_string={"app": "new"} | REST | bad)

    assert answer.status_code == 422
    assert sentence in page_of(answer).text
    assert page_of(answer).select("input[name=external][value=no][checked]")


def test_answers_that_cannot_be_are_left_out_of_the_credentials(
    admin: FlaskClient,
) -> None:
    page = page_of(admin.get("/zoom-apps/new/credentials?kind=nonsense"))

    assert not page.select("input[name=kind][checked]")
    assert page.select("input[name=scope_style][value=granular][checked]")


def test_the_recall_app_id_is_in_plain_sight(
    admin: FlaskClient, runtime: Runtime
) -> None:
    app_id = save_everything(runtime)
    with runtime.database.reading() as session:
        recall_app_id = session.get_one(ZoomApp, app_id).recall_app_id

    page = page_of(admin.get(f"/zoom-apps/{app_id}"))

    (button,) = page.select("#step-recall_app button[data-copy]")
    assert button["data-copy"] == str(recall_app_id)
    assert not [one for one in button.parents if one.name == "details"]


def test_set_up_pages_lead_into_the_consoles(
    admin: FlaskClient, runtime: Runtime
) -> None:
    app_id = save_everything(runtime)
    with runtime.database.reading() as session:
        client_id = session.get_one(ZoomApp, app_id).client_id

    page = page_of(admin.get(f"/zoom-apps/{app_id}"))

    def links(step: str) -> list[str]:
        return [str(a["href"]) for a in page.select(f"details[data-of={step}] a")]

    zoom = f"{runtime.settings.zoom_url}/marketplace/apps/{client_id}"
    for step in ("scopes", "challenge", "event", "redirect"):
        assert zoom in links(step), step
    assert f"{runtime.settings.recall_url}/" in links("recall_app")


def test_the_page_of_the_webhook_url_says_what_it_is_for(
    admin: FlaskClient, runtime: Runtime
) -> None:
    app_id = save_everything(runtime)
    page = page_of(admin.get(f"/zoom-apps/{app_id}"))

    def text(step: str) -> str:
        found = page.select_one(f"details[data-of={step}]")
        assert found is not None
        return " ".join(found.text.split())

    assert "Why Recall needs these webhooks" in text("challenge")
    assert "They send no bot to a meeting" in text("challenge")
    assert "Development and production have different URLs here" in text("challenge")
    assert page.select(f"details[data-of=challenge] a[href$='/{app_id}/test-bot']")
    assert "personal meeting ID (PMI)" in text("event")


def test_a_set_up_that_is_done_offers_a_test_bot(
    admin: FlaskClient, runtime: Runtime
) -> None:
    done, begun = save_everything(runtime), save_app(runtime, client_id="another")

    def finished(app_id: UUID) -> list[str]:
        page = page_of(admin.get(f"/zoom-apps/{app_id}"))
        return [str(a["href"]) for a in page.select("#zoom-app-finished a")]

    assert finished(done) == [f"/zoom-apps/{done}/test-bot"]
    assert finished(begun) == []


def test_instructions_about_zooms_console_stay_open_when_their_step_is_done(
    admin: FlaskClient, runtime: Runtime
) -> None:
    app_id = save_app(runtime)
    fresh = opened(admin, app_id)
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, app_id)
        session.add(a_check(app, Source.RECALL_PROBE))
        session.add(a_check(app, Source.ZOOM_CHALLENGE))

    assert fresh == set()
    assert opened(admin, app_id) == {"challenge", "event", "redirect", "user"}


def opened(admin: FlaskClient, app_id: UUID) -> set[str]:
    page = page_of(admin.get(f"/zoom-apps/{app_id}"))
    return {str(one["data-of"]) for one in page.select("details[data-of][open]")}
