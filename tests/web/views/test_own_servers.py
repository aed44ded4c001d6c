"""The customer's own token server on pages: entered, tested, failing, and shown."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.models.zoom_app import TokenCustody
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.services.grants.test_own_servers import add, save, url_of


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    """One that may call servers on this machine."""
    settings = runtime.settings.model_copy(update={"allow_private_endpoints": True})
    return replace(runtime, settings=settings)


@pytest.fixture
def own(runtime: Runtime, sandbox: RunningSandbox) -> ConnectStage:
    return a_connect_stage(runtime, sandbox, token_custody=TokenCustody.OWN_SERVER)


def words(answer: Any) -> str:
    return " ".join(BeautifulSoup(answer.text, "html5lib").get_text(" ").split())


def test_the_set_up_leads_to_the_token_server(
    admin: FlaskClient, own: ConnectStage
) -> None:
    shown = admin.get(f"/zoom-apps/{own.app.id}")

    said = words(shown)
    assert f"/zoom-apps/{own.app.id}/own-server" in shown.text
    assert f"/connect/{own.app.slug}" not in shown.text
    assert "/oauth/zoom/callback" not in shown.text
    assert "the connect page" not in said
    assert "Users connect in your own product" in said
    assert "Connect page to share" not in said


def test_an_admin_goes_all_the_way(admin: FlaskClient, own: ConnectStage) -> None:
    url = f"/zoom-apps/{own.app.id}/own-server"

    saved = admin.post(url, data={"url": url_of(own)}, follow_redirects=True)
    added = admin.post(f"{url}/users", data={"user": own.ana.id}, follow_redirects=True)

    assert "Saved. Add a user: that tests the server." in words(saved)
    assert "127.0.0.1" in words(saved)
    assert "auth_token=simulated" not in saved.text
    page = words(added)
    assert "Registered at Recall, and checked." in page
    assert "Healthy" in page
    assert "Token storage Your own server" in page
    assert "Your token server answered with a token that works." in page
    assert "Create reconnect link" not in page


def test_what_is_wrong_is_said_at_the_field_and_stays_typed(
    admin: FlaskClient, own: ConnectStage
) -> None:
    save(own)
    own.sandbox.zoom_world.switch(customer="json")

    answer = admin.post(
        f"/zoom-apps/{own.app.id}/own-server/users", data={"user": own.ana.id}
    )

    field = BeautifulSoup(answer.text, "html5lib").select_one("input[name=user]")
    assert answer.status_code == 422
    assert "Your token server answered with JSON" in words(answer)
    assert field is not None
    assert field["value"] == own.ana.id


def test_a_failing_user_is_listed_and_tested_again(
    support: FlaskClient, admin: FlaskClient, own: ConnectStage
) -> None:
    save(own)
    row = add(own)
    own.sandbox.zoom_world.switch(customer="no_token")

    tested = support.post(
        f"/connections/{row.id}/own-server/test", follow_redirects=True
    )

    said = "Your token server answered 503 for this user."
    assert said in words(tested)
    assert said in words(admin.get(f"/zoom-apps/{own.app.id}/own-server"))


def test_explain_names_what_the_server_did(
    admin: FlaskClient, own: ConnectStage
) -> None:
    save(own)
    row = add(own)
    own.sandbox.zoom_world.switch(customer="ends_soon")
    admin.post(f"/connections/{row.id}/check")

    page = words(admin.post("/explain/", data={"q": own.ana.email}))

    assert "less than 120 s left, which Recall rejects" in page
    assert "Fix on your token server what the reason says" in page


def test_the_connect_page_is_off_and_says_so(
    stranger: FlaskClient, own: ConnectStage
) -> None:
    answer = stranger.get(f"/connect/{own.app.slug}")

    assert answer.status_code == 410
    assert "Zoom is connected in the product that you use." in words(answer)
    assert stranger.post(f"/connect/{own.app.slug}").status_code == 410


def test_no_link_is_made_for_a_page_that_is_off(
    admin: FlaskClient, own: ConnectStage
) -> None:
    save(own)
    row = add(own)

    answer = admin.post(f"/connections/{row.id}/reconnect-link", follow_redirects=True)

    assert "connect in your own product" in words(answer)


def test_support_changes_nothing(support: FlaskClient, own: ConnectStage) -> None:
    url = f"/zoom-apps/{own.app.id}/own-server"

    page = support.get(url)

    assert page.status_code == 200
    assert not BeautifulSoup(page.text, "html5lib").select("main form")
    assert support.post(url, data={"url": url_of(own)}).status_code == 403
    assert support.post(f"{url}/users", data={"user": "x"}).status_code == 403


def test_the_storage_page_offers_all_three(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage = a_connect_stage(runtime, sandbox)
    url = f"/zoom-apps/{stage.app.id}/custody"

    first = words(admin.get(url))
    third = words(admin.get(f"{url}?to=own_server"))
    changed = admin.post(url, data={"to": "own_server"}, follow_redirects=True)

    assert "Store tokens in the dashboard" in first
    assert "Tokens on your own server instead" in first
    assert "its own connect page for this app is off" in third
    assert "Tokens are on your own server now." in words(changed)
    assert words(admin.get(f"{url}?to=nobody")).count("Currently: your own server") == 1


def test_the_server_of_no_connection_is_not_found(admin: FlaskClient) -> None:
    assert admin.post(f"/connections/{uuid4()}/own-server/test").status_code == 404
