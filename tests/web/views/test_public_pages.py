"""Help and test plan of a zoom app: public, secret-free, true of its set-up."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.models.zoom_app import Environment, Kind, Routing, TokenCustody, ZoomApp
from dashboard.services.erasure import erasures
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import ConnectStage
from tests.makers import CLIENT_SECRET, SECRET_TOKEN, a_zoom_app

PAGES = ("help", "test-plan")


def saved(runtime: Runtime, **over: Any) -> ZoomApp:
    app = a_zoom_app(runtime.vault, slug="notetaker-42", **over)
    with runtime.database.writing() as session:
        session.add(app)
    return app


def words(user: FlaskClient, page: str) -> str:
    answer = user.get(f"/connect/notetaker-42/{page}")
    assert answer.status_code == 200, answer.text
    return " ".join(BeautifulSoup(answer.text, "html.parser").get_text(" ").split())


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_reads_it_and_finds_no_secret(
    runtime: Runtime, user: FlaskClient, page: str
) -> None:
    app = saved(runtime)

    answer = user.get(f"/connect/notetaker-42/{page}")

    secrets = (CLIENT_SECRET, SECRET_TOKEN)
    assert not [one for one in secrets if one.get_secret_value() in answer.text]
    assert app.client_id not in answer.text
    assert "[" not in words(user, page)  # no blank that only the customer can fill
    assert "Sign out" not in answer.text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("page", PAGES)
def test_an_unknown_app_has_none(user: FlaskClient, page: str) -> None:
    assert user.get(f"/connect/unknown-1/{page}").status_code == 404


@pytest.mark.parametrize("routing", list(Routing))
@pytest.mark.parametrize("environment", list(Environment))
def test_what_is_deleted_follows_from_what_zoom_sends_here(
    runtime: Runtime, user: FlaskClient, routing: Routing, environment: Environment
) -> None:
    saved(runtime, routing=routing, environment=environment)

    said = words(user, "help")

    assert f"deleted automatically within {erasures.DEADLINE.days} days" in said
    is_relay = routing is Routing.RELAY
    is_published = environment is Environment.PRODUCTION
    hears = is_relay and is_published  # Zoom sends app_deauthorized for published apps
    assert ("When you remove the app or disconnect" in said) is hears
    assert ("ask us to delete it" in said) is not hears
    assert ("30 days after they arrived" in said) is is_relay


@pytest.mark.parametrize("custody", list(TokenCustody))
def test_who_stores_the_authorization_is_said(
    runtime: Runtime, user: FlaskClient, custody: TokenCustody
) -> None:
    saved(runtime, token_custody=custody)

    is_here = custody is TokenCustody.DASHBOARD
    assert ("authorization is stored encrypted" in words(user, "help")) is is_here


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("routing", list(Routing))
def test_no_page_leads_to_a_connect_page_that_is_off(
    runtime: Runtime, user: FlaskClient, page: str, routing: Routing
) -> None:
    saved(runtime, routing=routing, token_custody=TokenCustody.OWN_SERVER)

    said = words(user, page)

    assert "onnect page" not in said
    assert "isconnect" not in said
    assert "your connection" not in said


def test_an_admin_is_asked_for_where_one_is_needed(
    runtime: Runtime, user: FlaskClient
) -> None:
    saved(runtime, kind=Kind.ACCOUNT_LEVEL, joins_external=True)

    assert "as an admin of the Zoom account" in words(user, "help")
    assert "user:read:token:admin" in words(user, "help")
    assert "Zoom says an admin is required" in words(user, "test-plan")


def test_the_connect_page_leads_to_the_help(
    user: FlaskClient, stage: ConnectStage
) -> None:
    slug = stage.app.slug
    page = BeautifulSoup(user.get(f"/connect/{slug}").text, "html.parser")

    assert page.select_one(f"a[href='/connect/{slug}/help']") is not None
