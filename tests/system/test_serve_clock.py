"""A real `serve` on a host whose clock was wrong once: nothing stays green by it."""

import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.independent.people import Admin, connect
from tests.independent.served import ServedStage, a_served_stage
from tests.independent.simulated import SimulatedWorld
from tests.independent.stage import SUPPORT

pytestmark = pytest.mark.served
FAR = timedelta(days=6)  # within the age that a webhook may have
AHEAD = re.compile(r"\bin [4-9] d\b|\bin 1[0-9][0-9] h\b")


@pytest.fixture
def stage(tmp_path: Path, migrated_sqlite: Path) -> Iterator[ServedStage]:
    with a_served_stage(tmp_path, migrated_sqlite, SimulatedWorld) as made:
        yield made


def test_a_clock_that_was_days_ahead_leaves_no_green_and_no_future(
    stage: ServedStage,
) -> None:
    admin = Admin(stage=stage, browser=stage.sign_in())  # type: ignore[arg-type]  # the same to it
    pair = stage.world.make_app(f"{stage.url}/oauth/zoom/callback")
    app_id = admin.set_up(pair)
    user = stage.world.add_user("ana@example.com", "Ana", "Nowak", 5551234567)

    stage.set_wrong(FAR)
    wrong = Admin(stage=stage, browser=stage.sign_in())  # type: ignore[arg-type]
    assert stage.world.press_validate(pair.client_id, wrong.webhook_url(app_id))
    end = connect(stage, wrong.connect_path(app_id), user)  # type: ignore[arg-type]
    assert end.status == 200
    number = stage.world.create_meeting(user)
    stage.run_due()
    stage.set_wrong(-FAR)
    stage.world.end_grant(pair.client_id, user)
    stage.world.rotate_secret_token(pair.client_id)
    stage.pass_time(timedelta(hours=2), step=timedelta(hours=2))
    stage.world.create_meeting(user)
    stage.run_due()

    support = stage.sign_in(SUPPORT)
    rows = support.get("/connections/")
    link = rows.one("tr[id^=connection-] a[href^='/connections/']")
    hook = support.get("/webhooks/").one("a[href^='/webhooks/7']")
    asked = support.submit(support.get("/explain/"), "/explain/", q="ana@example.com")
    if "Checking now" in asked.text:
        asked = support.submit(asked, "/explain/recall")
    pages = {
        "overview": support.get("/"),
        "zoom app": support.get(f"/zoom-apps/{app_id}"),
        "connections": rows,
        "connection": support.get(str(link["href"])),
        "webhooks": support.get("/webhooks/"),
        "webhook": support.get(str(hook["href"])),
        "Explain, the user": asked,
        "Explain, the meeting": support.submit(
            support.get("/explain/"), "/explain/", q=str(number)
        ),
    }

    for name, page in pages.items():
        assert not AHEAD.search(page.text), (name, page.text)
    assert "clock" in pages["overview"].one("#attention").get_text()
    assert "healthy" not in pages["connection"].one("#state").get_text().lower()
    assert "reconnect" in asked.text
    assert not re.search(r"\bValid\b", pages["overview"].text)
    assert not re.search(r"Zoom → dashboard\W+Valid\b", pages["zoom app"].text)
    sys.stdout.writelines(
        f"{name}: {page.text[:900]}\n" for name, page in pages.items()
    )
