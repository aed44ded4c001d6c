"""Beginning the move from development to production, in the browser."""

import pytest
from flask.testing import FlaskClient

from tests.fixtures.going_live_pages import (
    CLIENT_ID,
    SECRET,
    TOKEN,
    MovingDesk,
    admin,
    page_of,
    stage,
    value,
)

__all__ = ["admin", "stage"]


def test_the_page_of_a_development_app_leads_there(
    admin: FlaskClient, stage: MovingDesk
) -> None:
    page = page_of(admin.get(f"/zoom-apps/{stage.development.id}"))

    assert page.select_one(f"a[href='{stage.url}']") is not None


def test_the_form_comes_filled_in_with_what_stays(
    admin: FlaskClient, stage: MovingDesk
) -> None:
    page = page_of(admin.get(stage.url))

    assert value(page, "#name") == "Notetaker"
    assert value(page, "[name=scope_style][checked]") == "legacy"
    assert value(page, "[name=routing][checked]") == "relay"
    assert value(page, "#workspace_id option[selected]") == str(stage.workspace.id)
    assert value(page, "#client_id") == ""
    assert len(page.select(".btn-primary")) == 1


def test_the_second_app_is_made_and_its_page_leads_on(
    admin: FlaskClient, stage: MovingDesk
) -> None:
    answer = admin.post(stage.url, data=stage.typed, follow_redirects=True)

    (made,) = [one for one in stage.all() if one.succeeds_id]
    page = page_of(answer)
    assert answer.request.path == f"/zoom-apps/{made.id}"
    assert "Zoom accepted client ID and client secret" in answer.text
    assert value(page, "#workspace_id option[selected]") == str(stage.workspace.id)
    assert page.select_one(f"a[href='{stage.url}']") is not None


@pytest.mark.parametrize(
    ("over", "field", "words"),
    [
        ({"client_secret": "test-wrong"}, "client_secret", "tab Production"),
        ({"client_id": ""}, "client_id", "missing"),
        ({"secret_token": ""}, "secret_token", "missing"),
        ({"workspace_id": "no id"}, "workspace_id", "Choose a workspace"),
        ({"routing": "by pigeon"}, "routing", ""),
    ],
)
def test_what_cannot_be_taken_is_said_at_its_field_and_nothing_typed_is_lost(
    admin: FlaskClient, stage: MovingDesk, over: dict[str, str], field: str, words: str
) -> None:
    answer = admin.post(stage.url, data={**stage.typed, **over})

    page = page_of(answer)
    error = page.select_one(f"#{field}-error")
    assert answer.status_code == 422
    assert error is not None
    assert words in error.text
    assert value(page, "#name") == "Notetaker live"
    assert value(page, "#client_id") == over.get("client_id", CLIENT_ID)
    assert SECRET not in answer.text
    assert TOKEN not in answer.text
    assert len(stage.all()) == 1


def test_the_development_client_id_is_recognised(
    admin: FlaskClient, stage: MovingDesk
) -> None:
    typed = {**stage.typed, "client_id": f"{stage.development.client_id} "}

    answer = admin.post(stage.url, data=typed)

    assert answer.status_code == 422
    assert "development client ID again" in answer.text


def test_a_production_app_that_is_here_is_linked_instead(
    admin: FlaskClient, stage: MovingDesk
) -> None:
    here = stage.production(linked=False, client_id=CLIENT_ID, name="By hand")

    offered = admin.post(stage.url, data=stage.typed)
    form = page_of(offered).select_one("form[action$='/production/link']")
    assert form is not None
    production_id = value(form, "[name=production_id]")
    linked = admin.post(f"{stage.url}/link", data={"production_id": production_id})

    assert "Link it instead" in offered.text
    assert "has the client ID that you typed" in offered.text
    assert linked.location == stage.url
    assert stage.find(here.id).succeeds_id == stage.development.id


@pytest.mark.parametrize("typed", ["", "no id", "00000000-0000-0000-0000-000000000000"])
def test_linking_nothing_links_nothing(
    admin: FlaskClient, stage: MovingDesk, typed: str
) -> None:
    admin.post(f"{stage.url}/link", data={"production_id": typed})

    assert page_of(admin.get(stage.url)).select_one("form[action$='/production']")
