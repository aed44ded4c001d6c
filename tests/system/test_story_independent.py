"""The main job, from nothing to a recorded meeting and to a removal, with either pair.

Once with the product's own simulators, and with a Zoom and a Recall that were written
from the contracts alone: first as far from the simulators as the contracts allow, then
with each freedom drawn.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from bs4 import BeautifulSoup

from dashboard.db import Database
from tests.independent.browser import Page, words
from tests.independent.freedoms import Freedoms
from tests.independent.pair import IndependentWorld
from tests.independent.people import Admin, connect
from tests.independent.simulated import SimulatedWorld
from tests.independent.stage import MakeWorld, Stage, a_stage, is_recorded
from tests.independent.world import PairAtZoom


def _drawn(seed: int) -> MakeWorld:
    return lambda clock: IndependentWorld(clock, Freedoms.drawn(seed), seed=seed)


WORLDS: dict[str, MakeWorld] = {
    "simulated": SimulatedWorld,
    "independent": IndependentWorld,
}


@pytest.fixture(
    params=[
        *(f"{name} {on}" for name in WORLDS for on in ("sqlite", "postgresql")),
        "drawn-1 sqlite",
        "drawn-2 postgresql",
    ]
)
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    name, _, on = request.param.partition(" ")
    database: Database = request.getfixturevalue(on)
    make = WORLDS.get(name) or _drawn(int(name.rpartition("-")[2]))
    with a_stage(database, tmp_path, make) as stage:
        yield stage


def test_from_nothing_to_a_recorded_meeting_and_to_a_removal(story: Stage) -> None:
    admin = Admin(stage=story, browser=story.sign_in())
    pair = story.world.make_app(f"{story.url}/oauth/zoom/callback")
    ana = story.world.add_user("ana@example.com", "Ana", "Nowak", 5551234567)

    app_id = _set_up(admin, pair)
    connection = _connect(admin, app_id, ana)
    meeting = _meet(admin, pair, ana, connection)
    _everything_is_done(admin, app_id)
    _the_personal_number_changes(admin, ana, connection)
    _connect_again(admin, app_id, ana, connection)
    assert is_recorded(story.world, pair.client_id, ana, meeting)
    _remove(admin, pair, ana, connection)


def _set_up(admin: Admin, pair: PairAtZoom) -> UUID:
    stage, world = admin.stage, admin.stage.world
    refused = admin.enter_app(pair, client_secret="not-the-right-secret")
    assert refused.path == "/zoom-apps/new"
    assert "Zoom rejected this client ID" in refused.text

    saved = admin.enter_app(pair)
    assert saved.path.startswith("/zoom-apps/")
    app_id = UUID(saved.path.rpartition("/")[2])

    assert admin.enter_workspace("not-an-api-key").path == "/workspaces/new"
    assert admin.enter_workspace(world.api_key).path == "/workspaces/"
    admin.create_in_recall(app_id)
    assert world.webhook_secret_in_recall(pair.client_id) == pair.secret_token
    assert world.is_pair_right_in_recall(pair.client_id)

    assert _clock(admin, app_id, "ours") != "valid"
    assert world.press_validate(pair.client_id, admin.webhook_url(app_id))
    stage.run_due()
    assert _clock(admin, app_id, "ours") == "valid"
    assert _clock(admin, app_id, "recalls") == "valid"
    return app_id


def _connect(admin: Admin, app_id: UUID, user_id: str) -> str:
    end = connect(admin.stage, admin.connect_path(app_id), user_id)
    assert "/result/" in end.path
    assert end.status == 200, end.text
    admin.stage.run_due()
    page = _only_connection(admin)
    assert "Ana Nowak" in page.text
    assert "ana@example.com" in page.text
    assert "555 123 4567" in page.text
    assert _is_healthy(page), page.text
    return page.path


def _meet(admin: Admin, pair: PairAtZoom, user_id: str, connection: str) -> int:
    stage, world = admin.stage, admin.stage.world
    meeting = world.create_meeting(user_id)
    stage.run_due()

    [taken] = [each for each in world.taken() if b"meeting.created" in each.body]
    assert taken.status < 300
    # Unchanged: the pair's own signature was checked over these bytes.
    assert "🚒" in json.loads(taken.body)["payload"]["object"]["topic"]
    assert rb"\uD83D\uDE92" in taken.body
    log = admin.browser.get("/webhooks/?event=meeting.created")
    [row] = log.soup.select("tr[id^=webhook-]")
    assert "Delivered" in words(row)

    stage.pass_time(timedelta(minutes=30), step=timedelta(minutes=5))
    shown = f"{meeting:d}"
    number = f"{shown[:3]} {shown[3:7]} {shown[7:]}"
    assert number in admin.browser.get(connection).text
    assert is_recorded(world, pair.client_id, user_id, meeting)
    assert _verdict(admin, str(meeting)).select_one(".verdict.tone-good"), _verdict(
        admin, str(meeting)
    )
    return meeting


def _everything_is_done(admin: Admin, app_id: UUID) -> None:
    page = admin.browser.get(f"/zoom-apps/{app_id}")
    assert words(page.one("#zoom-app-progress")) == "10 of 10 complete"
    overview = admin.browser.get("/")
    items = [words(each) for each in overview.soup.select(".attention-item")]
    assert [each for each in items if "Notetaker" in each] == []


def _the_personal_number_changes(admin: Admin, user_id: str, connection: str) -> None:
    admin.stage.world.change_pmi(user_id, 5559876543)
    admin.stage.run_due()
    page = admin.browser.get(connection)
    assert "555 987 6543" in page.text
    assert "Previously 555 123 4567" in page.text


def _connect_again(admin: Admin, app_id: UUID, user_id: str, connection: str) -> None:
    admin.stage.pass_time(timedelta(hours=3), step=timedelta(minutes=30))
    path = admin.connect_path(app_id)
    end = connect(admin.stage, path, user_id)
    if end.status == 409:  # Recall's older answer, a conflict: approve once more
        end = connect(admin.stage, path, user_id)
    assert end.status == 200, end.text
    admin.stage.run_due()
    page = _only_connection(admin)
    assert page.path == connection
    assert _is_healthy(page), page.text


def _remove(admin: Admin, pair: PairAtZoom, user_id: str, connection: str) -> None:
    stage, world = admin.stage, admin.stage.world
    stage.pass_time(timedelta(minutes=10), step=timedelta(minutes=10))
    world.remove_app(pair.client_id, user_id)
    stage.pass_time(timedelta(hours=2), step=timedelta(minutes=5))

    assert admin.browser.get(connection).status == 404
    assert world.credential_of(pair.client_id, user_id) is None
    told = words(_verdict(admin, "ana@example.com").select_one("#answer"))
    assert "ana nowak is connected" not in told.lower()
    erased = admin.browser.get("/connections/erasures")
    assert erased.status == 200
    assert erased.soup.select("tbody tr")


def _clock(admin: Admin, app_id: UUID, name: str) -> str:
    page = admin.browser.get(f"/zoom-apps/{app_id}")
    return str(page.one(f"#{name}")["data-state"])


def _only_connection(admin: Admin) -> Page:
    rows = admin.browser.get("/connections/").soup.select("tr[id^=connection-]")
    [row] = rows
    link = row.select_one("a[href^='/connections/']")
    assert link is not None
    return admin.browser.get(str(link["href"]))


def _is_healthy(page: Page) -> bool:
    return any(
        words(each).startswith("Healthy") for each in page.soup.select(".tone-good")
    )


def _verdict(admin: Admin, question: str) -> BeautifulSoup:
    page = admin.browser.get("/explain/")
    return admin.browser.submit(page, "/explain/", q=question).soup
