"""Beginning the move from development to production, in the browser."""

import csv

import pytest
from flask.testing import FlaskClient

from dashboard.models.staff import Role
from tests.conftest import HTTPS, SignIn
from tests.fixtures.going_live_pages import (
    CLIENT_ID,
    SECRET,
    TOKEN,
    MovingDesk,
    admin,
    page_of,
    stage,
    text_of,
    value,
)

__all__ = ["admin", "stage"]


def test_the_page_of_a_development_app_leads_there(
    admin: FlaskClient, stage: MovingDesk
) -> None:
    page = page_of(admin.get(f"/zoom-apps/{stage.development.id}"))

    assert page.select_one(f"a[href='{stage.url}']") is not None


def test_a_promoted_pair_is_marked_and_the_mark_undone(
    admin: FlaskClient, stage: MovingDesk
) -> None:
    app_url = f"/zoom-apps/{stage.development.id}"
    form = page_of(admin.get(stage.url)).select_one(f"form[action='{app_url}/promote']")
    assert form is not None

    done = admin.post(f"{app_url}/promote", follow_redirects=True)

    assert done.request.path == app_url
    assert "This is the production app now. No user has to reconnect." in done.text
    assert admin.get(stage.url).status_code == 303
    edit = page_of(admin.get(f"{app_url}/edit"))
    assert edit.select_one(f"form[action='{app_url}/undo-promotion']") is not None
    admin.post(f"{app_url}/undo-promotion")
    assert admin.get(stage.url).status_code == 200


def test_a_linked_app_is_not_marked(admin: FlaskClient, stage: MovingDesk) -> None:
    stage.production()

    done = admin.post(
        f"/zoom-apps/{stage.development.id}/promote", follow_redirects=True
    )

    assert "Nothing was changed. Notetaker is linked to Notetaker live" in done.text


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
    assert "Zoom accepted the client ID and client secret" in answer.text
    assert value(page, "#workspace_id option[selected]") == str(stage.workspace.id)
    assert page.select_one(f"a[href='{stage.url}']") is not None


@pytest.mark.parametrize(
    ("over", "field", "words"),
    [
        ({"client_secret": "test-wrong"}, "client_secret", "tab Production"),
        ({"client_id": ""}, "client_id", "Enter the client ID"),
        ({"secret_token": ""}, "secret_token", "The secret token is missing"),
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


def test_white_space_alone_is_no_workspace(
    admin: FlaskClient, stage: MovingDesk
) -> None:
    answer = admin.post(stage.url, data={**stage.typed, "workspace_id": " "})

    assert answer.status_code == 303
    assert len(stage.all()) == 2


def test_the_development_client_id_is_recognised(
    admin: FlaskClient, stage: MovingDesk
) -> None:
    typed = {**stage.typed, "client_id": f"{stage.development.client_id} "}

    answer = admin.post(stage.url, data=typed)

    assert answer.status_code == 422
    assert "This is the development client ID" in answer.text


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
    assert "has the client ID you entered" in offered.text
    assert linked.location == stage.url
    assert stage.find(here.id).succeeds_id == stage.development.id


@pytest.mark.parametrize("typed", ["", "no id", "00000000-0000-0000-0000-000000000000"])
def test_linking_nothing_links_nothing(
    admin: FlaskClient, stage: MovingDesk, typed: str
) -> None:
    admin.post(f"{stage.url}/link", data={"production_id": typed})

    assert page_of(admin.get(stage.url)).select_one("form[action$='/production']")


def test_the_page_counts_who_has_reconnected(
    admin: FlaskClient, stage: MovingDesk
) -> None:
    stage.connect(stage.development, "ana", "ben", "carla")
    stage.connect(stage.production(), "ben")

    page = page_of(admin.get(stage.url))

    rows = {row.select_one("th").text.split()[0] for row in page.select("tbody tr")}  # type: ignore[union-attr]  # each row has one
    assert "1 of 3 have reconnected" in " ".join(page.text.split())
    assert rows == {"Ana", "Carla"}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Ana", "Carla"]),
        ("?show=reconnected", ["Ben"]),
        ("?show=all", ["Ana", "Ben", "Carla"]),
        ("?show=nonsense", ["Ana", "Carla"]),
        ("?q=carla", ["Carla"]),
        ("?q=ben", []),
        ("?cursor=nonsense", ["Ana", "Carla"]),
    ],
)
def test_the_list_is_filtered_by_its_address(
    admin: FlaskClient, stage: MovingDesk, query: str, names: list[str]
) -> None:
    stage.connect(stage.development, "ana", "ben", "carla")
    stage.connect(stage.production(), "ben")

    page = page_of(admin.get(stage.url + query))

    assert [one.text for one in page.select("tbody th a")] == names


def test_each_who_is_left_comes_with_the_link_to_send(
    admin: FlaskClient, stage: MovingDesk
) -> None:
    stage.connect(stage.development, "ana", "ben")
    production = stage.production()
    stage.connect(production, "ben")
    link = f"{HTTPS}/connect/{production.slug}"

    page = page_of(admin.get(f"{stage.url}?show=all"))

    rows = [len(row.select(f"[data-copy='{link}']")) for row in page.select("tbody tr")]
    assert rows == [1, 0]


def test_those_who_are_left_as_a_file(admin: FlaskClient, stage: MovingDesk) -> None:
    stage.connect(stage.development, "ana", "ben")
    production = stage.production()
    stage.connect(production, "ben")

    answer = admin.get(f"{stage.url}?format=csv")

    (row,) = csv.DictReader(answer.text.splitlines())
    assert answer.mimetype == "text/csv"
    assert (row["display_name"], row["email"]) == ("Ana", "ana@example.com")
    assert row["connect_url"] == f"{HTTPS}/connect/{production.slug}"


def test_the_live_part_comes_alone(admin: FlaskClient, stage: MovingDesk) -> None:
    stage.production()

    answer = admin.get(stage.url, headers={"HX-Request": "true"})

    page = page_of(answer)
    assert page.select_one("#move-progress[data-live=connections]") is not None
    assert page.select("h1") == []


def test_retiring_says_what_is_lost_and_is_undone(
    admin: FlaskClient, stage: MovingDesk
) -> None:
    stage.connect(stage.development, "ana", "ben", "carla")
    stage.connect(stage.production(), "ben")

    asked = text_of(admin.get(stage.url))
    admin.post(f"/zoom-apps/{stage.development.id}/retire")
    retired_at = stage.find(stage.development.id).retired_at
    shown = page_of(admin.get(stage.url))
    listed = admin.get("/zoom-apps/").text
    admin.post(f"/zoom-apps/{stage.development.id}/bring-back")

    assert "2 users haven't reconnected" in asked
    assert "which is not in Recall yet: users can't connect" in asked
    assert retired_at is not None
    assert shown.select_one("form[action$='/bring-back']") is not None
    assert shown.select_one("form[action$='/retire']") is None
    assert shown.select_one("form[action$='/unlink']") is None
    assert "Retired" in listed
    assert stage.find(stage.development.id).retired_at is None


def test_a_retired_app_is_not_unlinked(admin: FlaskClient, stage: MovingDesk) -> None:
    production = stage.production()
    admin.post(f"/zoom-apps/{stage.development.id}/retire")

    answer = admin.post(f"{stage.url}/unlink", follow_redirects=True)

    assert "Restore it first" in answer.text
    assert stage.find(production.id).succeeds_id == stage.development.id


def test_production_leads_to_the_move_it_is_in(
    admin: FlaskClient, stage: MovingDesk
) -> None:
    linked, alone = stage.production(), stage.production(linked=False)

    answers = [
        admin.get(f"/zoom-apps/{one.id}/production").location for one in (linked, alone)
    ]

    assert answers == [stage.url, f"/zoom-apps/{alone.id}"]


@pytest.mark.parametrize("act", ["retire", "production"])
def test_a_production_app_itself_is_left_alone(
    admin: FlaskClient, stage: MovingDesk, act: str
) -> None:
    alone = stage.production(linked=False)

    admin.post(f"/zoom-apps/{alone.id}/{act}", data=stage.typed)

    assert stage.find(alone.id).retired_at is None
    assert len(stage.all()) == 2


def test_support_sees_the_progress_and_no_act(
    as_role: SignIn, stage: MovingDesk
) -> None:
    support = as_role(Role.SUPPORT)

    before = page_of(support.get(stage.url))
    stage.connect(stage.development, "ana")
    stage.production()
    after = support.get(stage.url)

    assert "An admin can go live" in before.text
    assert before.select("main form[method=post]") == []
    assert "0 of 1 has reconnected" in text_of(after)
    assert page_of(after).select("main form[method=post]") == []
