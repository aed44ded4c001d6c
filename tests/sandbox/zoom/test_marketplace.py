"""The pages of the simulated Zoom."""

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.records import ZoomApp
from dashboard.sandbox.zoom.world import seed
from tests.fixtures.simulated_zoom import (
    CALLBACK,
    HOOK,
    a_subscriber,
    a_user,
    a_world,
    an_app,
    web,
)


def page(client: FlaskClient, path: str) -> BeautifulSoup:
    answer = client.get(path, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html.parser")


def filled_pages(world: ZoomWorld) -> list[str]:
    """Fill the simulated Zoom; return the paths of all its pages."""
    app, user = a_subscriber(world)
    world.create_meeting(user.id)
    world.deliver_due()
    return [
        "/",
        "/marketplace/new",
        f"/marketplace/apps/{app.client_id}",
        f"/users/{user.id}",
        (
            f"/oauth/authorize?response_type=code&client_id={app.client_id}"
            f"&redirect_uri={CALLBACK}"
        ),
    ]


@pytest.mark.parametrize("number", range(5))
def test_each_page_has_one_heading_and_a_name_for_every_field(
    world: ZoomWorld, number: int
) -> None:
    path = filled_pages(world)[number]

    found = page(web(world), path)

    assert len(found.select("h1")) == 1
    assert "Simulated Zoom" in found.select_one("header").text  # type: ignore[union-attr]
    labelled = {label.get("for") for label in found.select("label")}
    fields = found.select("input:not([type=hidden]), select, textarea")
    unnamed = [
        f
        for f in fields
        if f.get("id") not in labelled and f.find_parent("label") is None
    ]
    assert unnamed == []
    assert all(f["action"] and f["method"] == "post" for f in found.select("form"))
    assert found.select("script, style, [style], [onclick]") == []


def test_pages_load_nothing_from_elsewhere(world: ZoomWorld) -> None:
    answer = web(world).get("/marketplace/")

    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_an_app_is_created_and_its_secrets_shown(world: ZoomWorld) -> None:
    form = {"name": "Recorder", "environment": "production", "kind": "user_level"}

    made = web(world).post("/marketplace/new", data=form)

    app = next(iter(world.state.apps.values()))
    assert (app.scopes, app.events) == ([], [])
    shown = page(web(world), made.location)
    values = {field["value"] for field in shown.select("#credentials input")}
    assert {app.client_id, app.client_secret, app.secret_token} <= values


def test_an_app_needs_a_name(world: ZoomWorld) -> None:
    form = {"name": " ", "environment": "production", "kind": "user_level"}

    assert web(world).post("/marketplace/new", data=form).status_code == 422


def test_a_redirect_url_is_saved_or_refused_with_a_sentence(world: ZoomWorld) -> None:
    app = an_app(world, redirect_url=None)
    path = f"/marketplace/apps/{app.client_id}/redirect"

    refused = web(world).post(path, data={"redirect_url": "http://localhost/cb"})
    saved = web(world).post(path, data={"redirect_url": f" {CALLBACK} "})

    assert refused.status_code == 422
    assert "must be a complete https URL" in refused.text
    assert saved.status_code == 303
    assert app.redirect_url == CALLBACK


def test_validate_on_the_page_saves_url_and_events(
    world: ZoomWorld, app: ZoomApp
) -> None:
    form = {"webhook_url": HOOK, "do": "validate", "events": ["meeting.created"]}

    path = f"/marketplace/apps/{app.client_id}/webhook"
    answer = web(world).post(path, data=form, follow_redirects=True)

    assert "URL validated and saved." in answer.text
    assert (app.webhook_url, app.events) == (HOOK, ["meeting.created"])


def test_events_the_scopes_do_not_allow_are_refused(world: ZoomWorld) -> None:
    app, _ = a_subscriber(world, scopes=["user:read:user"])
    form = {"webhook_url": HOOK, "do": "save", "events": ["meeting.created"]}

    path = f"/marketplace/apps/{app.client_id}/webhook"
    answer = web(world).post(path, data=form)

    assert answer.status_code == 422
    assert "The event is not allowed for the app" in answer.text


def test_user_scopes_do_not_fit_an_account_level_app(world: ZoomWorld) -> None:
    app = an_app(world, kind="account_level")

    path = f"/marketplace/apps/{app.client_id}/scopes"
    answer = web(world).post(path, data={"scopes": "user:read:user"})

    assert answer.status_code == 422


def test_regenerating_keeps_the_previous_secret_token_for_tests(
    world: ZoomWorld, app: ZoomApp
) -> None:
    old = app.secret_token

    web(world).post(f"/marketplace/apps/{app.client_id}/secret-token")

    assert app.secret_token != old
    assert app.previous_secret_token == old


def test_a_user_creates_changes_and_deletes_a_meeting(world: ZoomWorld) -> None:
    user, client = a_user(world), web(world)
    form = {"topic": "Kick-off", "start_time": "2026-12-01T09:30"}

    client.post(f"/users/{user.id}/meetings", data=form)
    meeting = next(iter(world.state.meetings.values()))
    client.post(f"/meetings/{meeting.id}", data={"do": "update", "topic": "Moved"})
    topic = meeting.topic
    client.post(f"/meetings/{meeting.id}", data={"do": "delete"})

    assert meeting.start_time.isoformat() == "2026-12-01T09:30:00+00:00"
    assert topic == "Moved"
    assert not world.state.meetings


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("meetings", {"start_time": "yesterday"}),
        ("pmi", {"pmi": "12"}),
        ("pmi", {"pmi": "abcdefghij"}),
        ("uninstall", {"client_id": "nobody"}),
    ],
)
def test_wrong_input_is_answered_with_a_sentence(
    world: ZoomWorld, path: str, form: dict[str, str]
) -> None:
    user = a_user(world)

    answer = web(world).post(f"/users/{user.id}/{path}", data=form)

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_a_user_changes_pmi_and_uninstalls(world: ZoomWorld) -> None:
    app, user = a_subscriber(world)
    client = web(world)

    client.post(f"/users/{user.id}/pmi", data={"pmi": "555 987 6543"})
    client.post(f"/users/{user.id}/uninstall", data={"client_id": app.client_id})

    assert user.pmi == 5559876543
    assert world.state.active_grant(app.client_id, user.id) is None


def test_the_list_of_users_is_on_the_first_page() -> None:
    assert page(web(a_world()), "/users/").select_one("#users") is not None


def test_unknown_apps_and_users_are_not_found() -> None:
    client = web(a_world())

    assert client.get("/users/nobody").status_code == 404
    assert client.get("/marketplace/apps/nothing").status_code == 404


def test_the_seed_is_one_app_and_three_users(world: ZoomWorld) -> None:
    made = seed(world)

    assert list(world.state.apps.values()) == [made.app]
    assert list(world.state.users.values()) == made.users
    assert len(made.users) == 3


@pytest.mark.parametrize(
    ("publishing", "own", "new"),
    [("promotes", "production", "development"), ("adds", "development", "production")],
)
def test_publishing_is_enabled_in_either_form(
    world: ZoomWorld, publishing: str, own: str, new: str
) -> None:
    app = an_app(world)
    world.switch(publishing=publishing)

    page = web(world).post(f"/marketplace/apps/{app.client_id}/enable-publishing")

    (other,) = [one for one in world.state.apps.values() if one is not app]
    assert page.status_code == 303
    assert (app.environment.value, other.environment.value) == (own, new)
    assert other.client_id != app.client_id
    assert [one.published for one in (app, other)] == [
        one.environment.value == "production" for one in (app, other)
    ]
