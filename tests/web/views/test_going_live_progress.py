"""Who has reconnected, and retiring the app they came from, in the browser."""

import csv

import pytest
from flask.testing import FlaskClient

from dashboard.models.staff import Role
from tests.conftest import HTTPS, SignIn
from tests.fixtures.going_live_pages import MovingDesk, admin, page_of, stage, text_of

__all__ = ["admin", "stage"]


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

    assert "2 users have not reconnected" in asked
    assert "which is not in Recall yet: nobody can connect" in asked
    assert retired_at is not None
    assert shown.select_one("form[action$='/bring-back']") is not None
    assert shown.select_one("form[action$='/retire']") is None
    assert shown.select_one("form[action$='/unlink']") is None
    assert "retired" in listed
    assert stage.find(stage.development.id).retired_at is None


def test_a_retired_app_is_not_unlinked(admin: FlaskClient, stage: MovingDesk) -> None:
    production = stage.production()
    admin.post(f"/zoom-apps/{stage.development.id}/retire")

    answer = admin.post(f"{stage.url}/unlink", follow_redirects=True)

    assert "Bring it back first" in answer.text
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

    assert "An admin begins the move" in before.text
    assert before.select("main form[method=post]") == []
    assert "0 of 1 has reconnected" in text_of(after)
    assert page_of(after).select("main form[method=post]") == []
