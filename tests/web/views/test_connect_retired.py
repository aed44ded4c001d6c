"""The hosted page of a retired zoom app leads on, or says whom to ask."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from dashboard.models.zoom_app import Environment, ZoomApp
from dashboard.services.zoom_apps import apps
from tests.fixtures.connect import ConnectStage
from tests.fixtures.connect_pages import CALLBACK, allow, heading, press
from tests.makers import NOON, a_zoom_app


def retire(stage: ConnectStage, at: datetime | None = NOON) -> None:
    with stage.runtime.database.writing() as session:
        row = apps.get(session, stage.app.id)
        row.retired_at = at
        session.add(row)


def follow(stage: ConnectStage, **over: Any) -> ZoomApp:
    app = a_zoom_app(
        stage.runtime.vault,
        environment=Environment.PRODUCTION,
        succeeds_id=stage.app.id,
        workspace_id=stage.app.workspace_id,
        **over,
    )
    with stage.runtime.database.writing() as session:
        session.add(app)
    return app


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_its_page_leads_to_the_one_of_its_successor(
    stranger: FlaskClient, stage: ConnectStage, method: str
) -> None:
    following = follow(stage, recall_app_id=UUID(int=7))
    retire(stage)

    response = stranger.open(f"/connect/{stage.app.slug}", method=method)
    shown = stranger.get(response.location)

    assert response.status_code == 303
    assert response.location == f"/connect/{following.slug}"
    assert response.headers["Cache-Control"] == "no-store"
    assert (shown.status_code, heading(shown)) == (200, "Connect your Zoom account")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_a_successor_it_says_whom_to_ask(
    stranger: FlaskClient, stage: ConnectStage, method: str
) -> None:
    retire(stage)

    response = stranger.open(f"/connect/{stage.app.slug}", method=method)

    assert response.status_code == 410
    assert heading(response) == "This link no longer works"
    assert "Ask the person who sent you the link" in response.text


def test_until_it_is_retired_both_pages_are_open(
    stranger: FlaskClient, stage: ConnectStage
) -> None:
    following = follow(stage, recall_app_id=UUID(int=7))

    found = [
        stranger.get(f"/connect/{slug}").status_code
        for slug in (stage.app.slug, following.slug)
    ]

    assert found == [200, 200]


def test_brought_back_its_page_is_open_again(
    stranger: FlaskClient, stage: ConnectStage
) -> None:
    retire(stage)
    retire(stage, None)

    assert stranger.get(f"/connect/{stage.app.slug}").status_code == 200


def test_who_is_at_zoom_meanwhile_comes_back_to_the_end_of_the_attempt(
    stranger: FlaskClient, stage: ConnectStage
) -> None:
    query = allow(stage, press(stranger, stage))

    retire(stage)
    shown = stranger.get(CALLBACK, query_string=query, follow_redirects=True)

    assert (shown.status_code, heading(shown)) == (200, "You are connected")


def test_who_declined_meanwhile_starts_again_at_the_successor(
    stranger: FlaskClient, stage: ConnectStage
) -> None:
    following = follow(stage, recall_app_id=UUID(int=7))
    query = allow(stage, press(stranger, stage))
    retire(stage)

    shown = stranger.get(
        CALLBACK,
        query_string={"state": query["state"], "error": "access_denied"},
        follow_redirects=True,
    )
    again = stranger.get(f"/connect/{stage.app.slug}", follow_redirects=True)

    assert f'href="/connect/{stage.app.slug}"' in shown.text
    assert again.request.path == f"/connect/{following.slug}"
