"""A real `serve` whose clock runs through hours: what was untrue once, seen again."""

import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from tests.independent.browser import Page, words
from tests.independent.people import Admin, connect
from tests.independent.served import ServedStage, a_served_stage
from tests.independent.simulated import SimulatedWorld
from tests.independent.stage import SUPPORT
from tests.independent.world import Outage, PairAtZoom

pytestmark = pytest.mark.served

HOUR = timedelta(hours=1)


class Serving:
    """An app that is set up and validated, and Ana, who is connected."""

    def __init__(self, stage: ServedStage) -> None:
        self.stage = stage
        self.world: SimulatedWorld = stage.world  # type: ignore[assignment]
        self._renew()
        self.pair: PairAtZoom = self.world.make_app(f"{stage.url}/oauth/zoom/callback")
        self.app_id: UUID = self.admin.set_up(self.pair)
        url = self.admin.webhook_url(self.app_id)
        assert self.world.press_validate(self.pair.client_id, url)
        self.ana = self.world.add_user("ana@example.com", "Ana", "Nowak", 5551234567)
        path = self.admin.connect_path(self.app_id)
        assert connect(stage, path, self.ana).status == 200  # type: ignore[arg-type]
        stage.run_due()

    def _renew(self) -> None:
        """Sign in again: sessions end while hours pass."""
        self.admin = Admin(stage=self.stage, browser=self.stage.sign_in())  # type: ignore[arg-type]
        self.support = self.stage.sign_in(SUPPORT)

    def later(self, hours: float) -> None:
        self.stage.pass_time(HOUR * hours, step=HOUR * hours)
        self._renew()

    def page(self, path: str) -> Page:
        return self.support.get(path)

    def connection(self) -> Page:
        rows = self.page("/connections/")
        link = rows.one("tr[id^=connection-] a[href^='/connections/']")
        return self.page(str(link["href"]))

    def state(self) -> str:
        return words(self.connection().one("#state"))

    def overview(self) -> str:
        return self.page("/").text

    def app(self) -> Page:
        return self.page(f"/zoom-apps/{self.app_id}")


@pytest.fixture
def serving(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Serving]:
    with a_served_stage(tmp_path, migrated_sqlite, SimulatedWorld) as stage:
        yield Serving(stage)


def show(serving: Serving, *names: str) -> None:
    """Print what was seen, for whoever runs this by hand."""
    for name in names:
        text = serving.page(name).text
        sys.stdout.write(f"{name}: {text[:700]}\n")


def test_a_web_page_from_recalls_address_delivers_nothing(serving: Serving) -> None:
    serving.world.begin(Outage.PORTAL)
    serving.world.create_meeting(serving.ana)
    serving.stage.run_due()
    serving.later(2)
    log = serving.page("/webhooks/?event=meeting.created").one("main")
    waiting = serving.overview()
    serving.world.end(Outage.PORTAL)
    serving.later(2)
    after = serving.page("/webhooks/?event=meeting.created").one("main")

    assert "Delivered" not in words(log.select_one("tbody"))
    assert "1 webhook" in waiting
    assert "Delivered" in words(after.select_one("tbody"))
    show(serving, "/webhooks/")


def test_a_token_that_ended_is_green_no_more_nor_is_what_rests_on_it(
    serving: Serving,
) -> None:
    before = serving.state()
    serving.world.end_grant(serving.pair.client_id, serving.ana)
    serving.later(1.3)
    shown = serving.connection()

    assert "Healthy" in before
    assert "Healthy" not in words(shown.one("#state"))
    assert "records without asking the host" not in shown.text
    assert "renewed" not in shown.text
    assert " in 1 " not in words(shown.one("#state"))
    show(serving, "/connections/")


def test_our_own_checks_cost_no_user_anything_while_the_pair_is_wrong(
    serving: Serving,
) -> None:
    client_id = serving.pair.client_id
    serving.world.regenerate_client_secret(client_id)
    seen = []
    for _ in range(4):
        serving.later(6)
        seen.append(serving.state())

    assert not any("Healthy" in each for each in seen)
    assert all("admin" in each.lower() for each in seen), seen
    assert not any("user must act" in each.lower() for each in seen), seen
    assert serving.world.credential_of(client_id, serving.ana) == "healthy"
    assert "must reconnect" not in serving.overview()
    show(serving, "/")


def test_an_app_that_is_gone_from_recall_is_told_once_and_since_when(
    serving: Serving,
) -> None:
    [there] = serving.world.recall.apps.values()
    serving.world.recall.remove_app(there)
    serving.later(0.3)
    first = _since(serving)
    serving.later(5)
    second = _since(serving)
    top = serving.overview()

    assert first == second
    assert "must reconnect" not in top
    assert "Healthy" not in serving.state()
    asked = serving.support.submit(
        serving.page("/explain/"), "/explain/", q="ana@example.com"
    )
    assert "may not be mapped" not in asked.text
    assert "no longer accepts" not in asked.text
    show(serving, "/")


def _since(serving: Serving) -> list[str]:
    """Return since when each thing needs attention about Recall's app."""
    items = serving.page("/").soup.select(".attention-item")
    about = [each for each in items if "Recall" in words(each)]
    assert about, serving.overview()
    return [str(t["datetime"]) for each in about for t in each.select("time[datetime]")]


def test_silence_is_no_alarm_when_the_only_user_has_left(serving: Serving) -> None:
    serving.world.create_meeting(serving.ana)
    serving.stage.run_due()
    serving.world.end_grant(serving.pair.client_id, serving.ana)
    serving.later(24)
    serving.later(24 * 8)

    assert "No events from Zoom" not in serving.overview()
    assert "answers in milliseconds" not in serving.app().text
    show(serving, "/")


def test_refused_events_end_green_and_mending_ends_red(serving: Serving) -> None:
    path = f"/zoom-apps/{serving.app_id}"
    token = serving.world.rotate_secret_token(serving.pair.client_id)
    for _ in range(3):
        serving.world.create_meeting(serving.ana)
        serving.stage.run_due()
        serving.later(0.2)
    red = words(serving.app().one("#ours"))
    browser = serving.admin.browser
    browser.submit(browser.get(f"{path}/edit"), "/edit", secret_token=token)
    url = serving.admin.webhook_url(serving.app_id)
    assert serving.world.press_validate(serving.pair.client_id, url)
    serving.later(0.2)
    mended = serving.overview()

    assert not re.search(r"\bValid\b", red)
    assert re.search(r"\bValid\b", words(serving.app().one("#ours")))
    assert "were all rejected" not in mended
    show(serving, "/")


def test_an_older_copy_is_green_nowhere_until_it_was_checked(
    serving: Serving, tmp_path: Path
) -> None:
    stage, copy = serving.stage, str(tmp_path / "copy.db")
    stage.command("db", "backup", copy)
    serving.world.end_grant(serving.pair.client_id, serving.ana)
    serving.world.rotate_secret_token(serving.pair.client_id)
    stage.stop()
    stage.command("db", "restore", copy)
    stage.start()
    serving.later(0.1)
    top, shown = serving.overview(), serving.state()
    serving.later(2)

    assert "restored" in top
    assert "Healthy" not in shown
    assert not re.search(r"\bValid\b", words(serving.app().one("#ours")))
    assert "Healthy" not in serving.state()
    show(serving, "/")


def test_every_page_people_leave_open_has_a_live_mark(serving: Serving) -> None:
    serving.later(1)
    for path in ("/", "/connections/", f"/zoom-apps/{serving.app_id}", "/webhooks/"):
        assert serving.page(path).soup.select_one("[data-live-word]") is not None, path
    assert serving.connection().soup.select_one("[data-live-word]") is not None
