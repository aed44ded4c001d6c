"""Creating the Zoom app from here: two forms, and nothing stored half."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from dashboard.clients.zoom.hosts import ZoomHost
from dashboard.clients.zoom.marketplace_apps import ZoomMarketplaceApps
from dashboard.clients.zoom.oauth import ZoomOAuth
from dashboard.models.audit import AuditEntry
from dashboard.models.staff import Role, Staff
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import ZoomApp, ZoomCloud
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom.oauth import SERVER_APP
from dashboard.sandbox.zoom.records import ZoomApp as AtZoom
from dashboard.services.runtime import Runtime
from dashboard.services.setup.steps import StepKey
from dashboard.services.zoom_apps import apps
from tests.conftest import SignIn
from tests.fixtures.servers import served
from tests.fixtures.setup import by_key, look

FOR_ME, MADE = "/zoom-apps/new/for-me", "/zoom-apps/new/made-for-me"
APPS = "/v2/marketplace/apps"
ALL_THERE = "Zoom has the scopes, the redirect URL, the webhook URL and both events."


@pytest.fixture
def app(runtime: Runtime, sandbox: RunningSandbox) -> Iterator[Flask]:
    """The dashboard where the simulated Zoom reaches it, in place of the usual one."""
    assert sandbox.zoom_world.state.apps == {}
    with served(runtime) as (_, flask):
        yield flask


@pytest.fixture
def admin(app: Flask, as_role: SignIn) -> FlaskClient:
    assert app.testing
    return as_role(Role.ADMIN)


def typed(sandbox: RunningSandbox, **over: Any) -> dict[str, Any]:
    return {
        "name": "Notetaker",
        "contact_name": "Ana Nowak",
        "contact_email": "admin@example.com",
        "company": "Acme",
        "custody": "recall",
        "kind": "user_level",
        "external": "no",
        "token": sandbox.zoom_world.issue_marketplace_token(),
        **over,
    }


def page_of(answer: TestResponse) -> BeautifulSoup:
    return BeautifulSoup(answer.text, "html5lib")


def made_of(answer: TestResponse) -> str:
    found = page_of(answer).select_one("input[name=made]")
    assert found is not None, answer.text
    return str(found["value"])


def at_zoom(sandbox: RunningSandbox) -> AtZoom:
    (found,) = sandbox.zoom_world.state.apps.values()
    return found


def kept(runtime: Runtime) -> list[ZoomApp]:
    with runtime.database.reading() as session:
        return list(apps.list_all(session))


def acts(runtime: Runtime) -> list[str]:
    with runtime.database.reading() as session:
        return sorted(one.act for one in session.exec(select(AuditEntry)))


def create(admin: FlaskClient, sandbox: RunningSandbox, **over: Any) -> TestResponse:
    return admin.post(FOR_ME, data=typed(sandbox, **over))


def finish(admin: FlaskClient, made: str, token: str, **over: str) -> TestResponse:
    body = {"made": made, "secret_token": token, **over}
    return admin.post(MADE, data=body, follow_redirects=True)


@pytest.mark.parametrize("form", ["development_credentials", "credentials"])
def test_an_app_is_created_saved_and_compared(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox, form: str
) -> None:
    sandbox.zoom_world.switch(app_creation=form)

    created = create(admin, sandbox)
    there = at_zoom(sandbox)
    assert (there.webhook_url, there.events) == (None, [])
    before = kept(runtime)
    done = finish(admin, made_of(created), f" {there.secret_token}\n")

    (app,) = kept(runtime)
    assert before == []
    assert created.status_code == 200
    assert (app.client_id, app.verdict, app.marketplace_app_id) == (
        there.client_id,
        Verdict.RIGHT,
        there.app_id,
    )
    assert ALL_THERE in done.text
    assert there.webhook_url is not None
    assert there.webhook_url.endswith(f"/hooks/zoom/{app.id}")
    assert there.validated_at is not None
    assert set(there.events) == {"meeting.created", "user.updated"}
    steps = by_key(look(runtime, app.id))
    for key in (StepKey.PAIR, StepKey.EVENT, StepKey.REDIRECT, StepKey.CHALLENGE):
        assert steps[key].is_done, key
    assert not steps[StepKey.USER].is_done
    assert acts(runtime) == ["zoom_app.created", "zoom_app.made_at_zoom"]


def test_no_secret_is_in_a_page_or_an_audit_entry(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    body = typed(sandbox)

    created = admin.post(FOR_ME, data=body)
    done = finish(admin, made_of(created), at_zoom(sandbox).secret_token)

    there = at_zoom(sandbox)
    with runtime.database.reading() as session:
        told = [one.subject for one in session.exec(select(AuditEntry))]
    for secret in (there.client_secret, there.secret_token, body["token"]):
        assert secret not in created.text + done.text + " ".join(told)


def test_the_answers_of_the_first_page_are_kept(
    admin: FlaskClient, sandbox: RunningSandbox
) -> None:
    first = admin.get(
        "/zoom-apps/new/scopes?app=for_me&kind=account_level&external=yes"
        "&scope_style=granular",
        follow_redirects=True,
    )
    form = page_of(first).select_one("form[action$='/for-me']")
    assert form is not None
    hidden = {str(one["name"]): one.get("value") for one in form.select("input")}

    create(admin, sandbox, kind=hidden["kind"], external=hidden["external"])

    there = at_zoom(sandbox)
    assert hidden["contact_email"] == "admin@example.com"
    assert "user:read:list_users:admin" in there.scopes
    assert "user:read:token:admin" in there.scopes


def with_server_app(sandbox: RunningSandbox, **over: str) -> dict[str, str]:
    state = sandbox.zoom_world.state
    return {
        "token": "",
        "server_account_id": state.account_id,
        "server_client_id": SERVER_APP,
        "server_client_secret": state.server_app_secret,
        **over,
    }


def test_a_server_app_gets_the_token_and_neither_is_stored(
    admin: FlaskClient, sandbox: RunningSandbox, runtime: Runtime
) -> None:
    created = create(admin, sandbox, **with_server_app(sandbox))
    done = finish(admin, made_of(created), at_zoom(sandbox).secret_token)

    assert ALL_THERE in done.text
    (row,) = kept(runtime)
    secret = sandbox.zoom_world.state.server_app_secret
    assert secret not in created.text + done.text
    assert row.marketplace_app_id == at_zoom(sandbox).app_id


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"server_client_secret": "wrong"}, "Zoom rejects this client ID with this"),
        ({"server_account_id": "wrong"}, "no token for this account ID"),
        ({"server_client_id": ""}, "Enter the client ID."),
        ({"server_client_secret": ""}, "Enter the client secret."),
    ],
)
def test_a_server_app_that_gets_no_token_is_one_sentence_and_nothing_is_created(
    admin: FlaskClient,
    sandbox: RunningSandbox,
    runtime: Runtime,
    *,
    over: dict[str, str],
    said: str,
) -> None:
    answer = create(admin, sandbox, **with_server_app(sandbox, **over))

    assert answer.status_code == 422
    assert said in answer.text
    assert sandbox.zoom_world.state.apps == {}
    assert kept(runtime) == []


def test_an_app_of_zoom_for_government_is_created_there(
    admin: FlaskClient,
    sandbox: RunningSandbox,
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def watched(kind: type[ZoomHost]) -> None:
        at = kind.at

        def there(self: ZoomHost, url: str) -> ZoomHost:
            asked.append(url)
            return at(self, url)

        monkeypatch.setattr(kind, "government_url", sandbox.zoom_url)
        monkeypatch.setattr(kind, "at", there)

    watched(ZoomMarketplaceApps)
    watched(ZoomOAuth)
    first = admin.get(
        "/zoom-apps/new/scopes?app=for_me&kind=user_level&external=no"
        "&scope_style=granular&cloud=government",
        follow_redirects=True,
    )
    hidden = page_of(first).select_one("input[name=cloud]")
    assert hidden is not None

    created = create(admin, sandbox, cloud=str(hidden["value"]))
    finish(admin, made_of(created), at_zoom(sandbox).secret_token)

    (row,) = kept(runtime)
    assert row.zoom_cloud is ZoomCloud.GOVERNMENT
    assert len(asked) >= 3  # created, verified, configured


def test_zoom_makes_no_app_with_legacy_scopes(admin: FlaskClient) -> None:
    answer = admin.get(
        "/zoom-apps/new/scopes?app=for_me&kind=user_level&external=no&scope_style=legacy"
    )

    assert answer.status_code == 422
    assert "granular scopes only" in answer.text


def test_without_the_pair_in_zooms_answer_it_is_typed(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    sandbox.zoom_world.switch(app_creation="id_only")
    created = create(admin, sandbox)
    there = at_zoom(sandbox)

    missing = finish(admin, made_of(created), there.secret_token)
    pair = {"client_id": there.client_id, "client_secret": there.client_secret}
    done = finish(admin, made_of(missing), there.secret_token, **pair)

    assert missing.status_code == 422
    assert "Enter the client secret." in missing.text
    assert ALL_THERE in done.text
    assert [one.client_id for one in kept(runtime)] == [there.client_id]


LACKS_WRITE = ["marketplace:read:app:admin"]
REFUSALS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a token that may not create": (
        {"scopes": LACKS_WRITE},
        {},
        "This token may not do that: it lacks a scope.",
    ),
    "a token that is none": (
        {},
        {"token": "simNone"},
        "Zoom does not accept this token.",
    ),
    "an account that may not": (
        {"switch": {"app_creation": "denied"}},
        {},
        "Zoom does not let this account do that by API: do it by hand.",
    ),
    "a missing scope in another form": (
        {
            "scopes": LACKS_WRITE,
            "switch": {"missing_scope_form": "4700_bare", "missing_scope_status": 401},
        },
        {},
        "This token may not do that: it lacks a scope.",
    ),
    "Zoom is down": (
        {"fault": Fault(kind=FaultKind.UNAVAILABLE, path=f"{APPS}/manifest")},
        {},
        "Zoom",
    ),
    "a lost answer": (
        {"fault": Fault(kind=FaultKind.LOST_ANSWER, path=f"{APPS}*", method="POST")},
        {},
        "Zoom&#39;s answer was lost, so it may have created the app.",
    ),
    "a web page in Zoom's place": (
        {"fault": Fault(kind=FaultKind.HTML_403, path=APPS)},
        {},
        "Zoom",
    ),
}


@pytest.mark.parametrize(
    ("world", "over", "said"), REFUSALS.values(), ids=REFUSALS.keys()
)
def test_a_refusal_is_one_sentence_and_nothing_is_stored(
    admin: FlaskClient,
    runtime: Runtime,
    sandbox: RunningSandbox,
    *,
    world: dict[str, Any],
    over: dict[str, Any],
    said: str,
) -> None:
    sandbox.zoom_world.switch(**world.get("switch", {}))
    token = sandbox.zoom_world.issue_marketplace_token(world.get("scopes"))
    if "fault" in world:
        sandbox.zoom_faults.set([world["fault"]])

    answer = create(admin, sandbox, **({"token": token} | over))

    page = page_of(answer)
    assert answer.status_code == 422
    assert said in answer.text
    assert len(page.select("p.error")) == 1
    assert page.select("#name[value=Notetaker]")
    assert page.select("#token[value='']")
    assert kept(runtime) == []
    assert acts(runtime) == []


def test_a_manifest_that_zoom_would_reject_is_named_and_nothing_is_created(
    admin: FlaskClient, sandbox: RunningSandbox
) -> None:
    wrong = [{"setting": "/x", "message": "is odd"}]
    body = json.dumps({"ok": False, "error": "invalid_manifest", "errors": wrong})
    fault = Fault(kind=FaultKind.ANSWER, path=f"{APPS}/manifest/validate", body=body)
    sandbox.zoom_faults.set([fault])

    answer = create(admin, sandbox)

    assert "Zoom would reject the manifest (/x: is odd)." in answer.text
    assert sandbox.zoom_world.state.apps == {}


@pytest.mark.parametrize(
    ("what", "said", "undone"),
    [
        ("scopes", "Zoom left out scopes and the events.", {StepKey.EVENT}),
        ("redirect_url", "Zoom left out the redirect URL.", {StepKey.REDIRECT}),
        ("events", "Zoom left out the events.", {StepKey.EVENT}),
        ("webhook", "Zoom left out the webhook URL.", {StepKey.EVENT}),
    ],
)
def test_what_zoom_silently_leaves_out_is_named_and_not_ticked(
    admin: FlaskClient,
    runtime: Runtime,
    sandbox: RunningSandbox,
    *,
    what: str,
    said: str,
    undone: set[StepKey],
) -> None:
    sandbox.zoom_world.switch(manifest_forgets=what)
    created = create(admin, sandbox)

    done = finish(admin, made_of(created), at_zoom(sandbox).secret_token)

    (app,) = kept(runtime)
    assert said in done.text
    assert "Do the rest by hand" in done.text
    steps = by_key(look(runtime, app.id))
    both = {StepKey.EVENT, StepKey.REDIRECT}
    assert {key for key in both if not steps[key].is_done} == undone


def test_a_wrong_secret_token_leaves_the_app_saved_and_says_what_is_left(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    created = create(admin, sandbox)

    done = finish(admin, made_of(created), "simT-another-secret-token")

    (app,) = kept(runtime)
    steps = by_key(look(runtime, app.id))
    assert "Do the rest by hand, as the steps below say." in done.text
    assert "URL validation failed" in done.text
    assert not steps[StepKey.EVENT].is_done
    assert at_zoom(sandbox).webhook_url is None


def test_a_wrong_pair_is_not_saved(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    sandbox.zoom_world.switch(app_creation="id_only")
    created = create(admin, sandbox)
    there = at_zoom(sandbox)
    wrong = {"client_id": there.client_id, "client_secret": "not-the-right-one"}

    answer = finish(admin, made_of(created), there.secret_token, **wrong)

    assert answer.status_code == 422
    assert "Zoom rejected this client ID and client secret" in answer.text
    assert page_of(answer).select(f"#client_id[value='{there.client_id}']")
    assert kept(runtime) == []


def test_an_empty_secret_token_is_asked_for_again(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    created = create(admin, sandbox)

    answer = finish(admin, made_of(created), "")

    assert "Enter the secret token." in answer.text
    assert kept(runtime) == []


def test_it_can_be_undone_before_anything_is_stored(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    created = create(admin, sandbox)

    undone = admin.post(
        f"{MADE}/undo", data={"made": made_of(created)}, follow_redirects=True
    )

    assert "was deleted in Zoom" in undone.text
    assert sandbox.zoom_world.state.apps == {}
    assert kept(runtime) == []
    assert acts(runtime) == ["zoom_app.made_at_zoom", "zoom_app.unmade_at_zoom"]


def test_an_undo_that_zoom_refuses_says_how_to_do_it_by_hand(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    created = create(admin, sandbox)
    fault = Fault(kind=FaultKind.UNAVAILABLE, path=APPS, method="DELETE")
    sandbox.zoom_faults.set([fault])

    answer = admin.post(f"{MADE}/undo", data={"made": made_of(created)})

    assert "Delete “Notetaker” in Zoom by hand." in answer.text
    assert at_zoom(sandbox).name == "Notetaker"
    assert kept(runtime) == []
    assert acts(runtime) == ["zoom_app.made_at_zoom"]


@pytest.mark.parametrize("what", ["", "undo"])
@pytest.mark.parametrize("made", ["", "zz", "00", "ab" * 60])
def test_a_sealed_field_that_is_none_leads_to_the_credentials(
    admin: FlaskClient, runtime: Runtime, made: str, what: str
) -> None:
    path = f"{MADE}/{what}".rstrip("/")

    answer = admin.post(path, data={"made": made}, follow_redirects=True)

    assert answer.request.path == "/zoom-apps/new"
    assert "The app is still in Zoom" in answer.text
    assert kept(runtime) == []


def test_what_was_made_for_one_person_is_not_anothers(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    made = bytes.fromhex(made_of(create(admin, sandbox)))
    with runtime.database.reading() as session:
        (owner,) = session.exec(select(Staff)).all()
    vault, place = runtime.vault, {"table": "form", "column": "made"}
    text = vault.open_text(made, **place, row=owner.id)
    anothers = vault.seal_text(text, **place, row=uuid4())

    answer = finish(admin, anothers.hex(), at_zoom(sandbox).secret_token)

    assert "belongs to someone else" in answer.text
    assert kept(runtime) == []


@pytest.mark.usefixtures("app")
def test_support_may_not(as_role: SignIn) -> None:
    support = as_role(Role.SUPPORT)

    assert support.get(FOR_ME).status_code == 403
    assert support.post(FOR_ME).status_code == 403
    assert support.post(MADE).status_code == 403
    assert support.post(f"{MADE}/undo").status_code == 403


@pytest.mark.parametrize("field", ["name", "contact_name", "contact_email", "company"])
def test_each_field_is_asked_for(
    admin: FlaskClient, sandbox: RunningSandbox, field: str
) -> None:
    answer = create(admin, sandbox, **{field: ""})

    assert answer.status_code == 422
    assert len(page_of(answer).select(f"#{field}-error")) == 1
    assert sandbox.zoom_world.state.apps == {}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_zoom_service_that_there_is_none_of_is_no_error(
    admin: FlaskClient, method: str
) -> None:
    answer = admin.open(f"{FOR_ME}?cloud=moon", method=method, data={"cloud": "moon"})

    assert answer.status_code in (200, 303, 422)
