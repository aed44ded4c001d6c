"""The pages of alerts and their channels: what they show, change and refuse."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlmodel import select

from dashboard.models.alert import AlertChannel
from dashboard.models.audit import AuditEntry
from dashboard.models.staff import Role
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.fixtures.alerts import Desk, box, desk
from tests.fixtures.mailbox import Mailbox

__all__ = ["box", "desk"]

REJECTED = "Notetaker (development): Zoom rejects the client ID and client secret."


@pytest.fixture
def runtime(runtime: Runtime, box: Mailbox) -> Runtime:
    """Give the app the mail server too."""
    settings = runtime.settings.model_copy(
        update={"smtp_url": SecretStr(box.url), "smtp_from": "dashboard@example.com"}
    )
    return replace(runtime, settings=settings)


@pytest.fixture
def admin(as_role: SignIn) -> FlaskClient:
    return as_role(Role.ADMIN)


def text(answer: Any) -> str:
    return BeautifulSoup(answer.text, "html.parser").get_text(" ", strip=True)


def entries(desk: Desk) -> list[str]:
    with desk.runtime.database.reading() as session:
        return [each.act for each in session.exec(select(AuditEntry))]


def channel_of(desk: Desk) -> AlertChannel:
    with desk.runtime.database.reading() as session:
        return session.exec(select(AlertChannel)).one()


FORM = {
    "kind": "email",
    "url": "ops@example.com",
    "name": "Ops",
    "severity": "warning",
    "pace": "at_once",
    "lasts_minutes": "1",
    "daily_at": "08:00",
    "time_zone": "UTC",
}


def test_an_open_alert_says_who_does_what(desk: Desk, admin: FlaskClient) -> None:
    desk.break_pair()
    desk.live(minutes=1)

    shown = text(admin.get("/alerts/"))

    assert REJECTED in shown
    assert "An admin must act. Fix the Zoom app's client secret" in shown
    assert "Alerts go nowhere yet" in shown


def test_an_alert_is_acknowledged_once(desk: Desk, admin: FlaskClient) -> None:
    desk.break_pair()
    desk.live(minutes=1)
    [alert] = desk.alerts

    admin.post(f"/alerts/{alert.id}/acknowledge")
    again = admin.post(f"/alerts/{alert.id}/acknowledge", follow_redirects=True)

    assert desk.alerts[0].acknowledged_by == "admin@example.com"
    assert "has acknowledged it already" in text(again)
    assert entries(desk).count("alert.acknowledged") == 1


def test_the_history_shows_the_evidence(desk: Desk, admin: FlaskClient) -> None:
    desk.add_channel()
    desk.break_pair()
    desk.live(minutes=3)
    desk.fix_pair()
    desk.live(minutes=5)

    shown = text(admin.get(f"/alerts/{desk.alerts[0].id}"))

    assert "Resolved" in shown
    assert "Zoom accepted the pair." in shown
    assert "Opened Ops" in shown
    assert REJECTED in text(admin.get("/alerts/"))


def test_a_channel_is_added_tested_changed_and_removed(
    desk: Desk, admin: FlaskClient
) -> None:
    admin.post("/alerts/channels/new", data=FORM)
    channel = channel_of(desk)
    tested = admin.post(f"/alerts/channels/{channel.id}/test", follow_redirects=True)
    assert "The test was sent to o***@example.com" in text(tested)
    assert desk.box.subjects == ["Test of this alert channel"]

    admin.post(
        f"/alerts/channels/{channel.id}",
        data={
            **FORM,
            "url": "",
            "severity": "error",
            "quiet_from": "22:00",
            "quiet_to": "07:00",
            "kinds": ["validation", "worker"],
        },
    )
    changed = channel_of(desk)
    assert (changed.severity, changed.url) == ("error", channel.url)
    assert (changed.quiet_from, changed.quiet_to) == (22 * 60, 7 * 60)
    assert changed.kinds == "validation worker"

    admin.post(f"/alerts/channels/{channel.id}/remove")
    assert {
        "alert_channel.added",
        "alert_channel.tested",
        "alert_channel.changed",
        "alert_channel.removed",
    } <= set(entries(desk))
    assert "Alerts go nowhere yet" in text(admin.get("/alerts/"))


def test_an_address_is_not_in_the_page(desk: Desk, admin: FlaskClient) -> None:
    admin.post("/alerts/channels/new", data={**FORM, "url": "night@example.com"})

    shown = admin.get(f"/alerts/channels/{channel_of(desk).id}").text

    assert "night@example.com" not in shown
    assert "n***@example.com" in shown


def test_a_test_that_fails_says_why(desk: Desk, admin: FlaskClient) -> None:
    admin.post("/alerts/channels/new", data=FORM)
    desk.box.refuses["ops@example.com"] = "550 5.1.1 no such user"

    shown = admin.post(
        f"/alerts/channels/{channel_of(desk).id}/test", follow_redirects=True
    )

    assert "550 5.1.1 no such user" in text(shown)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "nobody"},
        {"url": ""},
        {"kind": "slack"},
        {"kind": "nothing"},
        {"lasts_minutes": "-1"},
        {"quiet_from": "25:00", "quiet_to": "07:00"},
        {"quiet_from": "07:00"},
        {"time_zone": "Nowhere/Else"},
        {"time_zone": "../../etc/passwd"},
        {"pace": "daily", "daily_at": "noon"},
        {"kinds": ["everything"]},
    ],
)
def test_a_wrong_value_is_said_and_nothing_typed_is_lost(
    desk: Desk, admin: FlaskClient, wrong: dict[str, Any]
) -> None:
    answer = admin.post("/alerts/channels/new", data={**FORM, **wrong})

    assert answer.status_code == 422
    assert 'value="Ops"' in answer.text
    with desk.runtime.database.reading() as session:
        assert session.exec(select(AlertChannel)).all() == []


def test_a_broken_channel_is_on_the_overview(desk: Desk, admin: FlaskClient) -> None:
    desk.add_channel(name="Broken")
    desk.box.refuses["ops@example.com"] = "450 4.2.0 try later"
    desk.break_pair()
    desk.live(minutes=5)

    shown = text(admin.get("/"))

    assert "Alerts don't arrive through the channel Broken." in shown
    assert "450 4.2.0 try later" in shown


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.OPERATOR])
def test_only_admins_see_and_change_channels(
    desk: Desk, as_role: SignIn, role: Role
) -> None:
    channel = desk.add_channel()
    person = as_role(role)

    assert person.get("/alerts/").status_code == 200
    for path in ("new", str(channel.id)):
        assert person.get(f"/alerts/channels/{path}").status_code == 403
    for path in ("new", str(channel.id), f"{channel.id}/test", f"{channel.id}/remove"):
        assert person.post(f"/alerts/channels/{path}").status_code == 403


def test_a_viewer_acknowledges_nothing(desk: Desk, as_role: SignIn) -> None:
    desk.break_pair()
    desk.live(minutes=1)

    answer = as_role(Role.VIEWER).post(f"/alerts/{desk.alerts[0].id}/acknowledge")

    assert answer.status_code == 403


@pytest.mark.parametrize(
    "path",
    ["/alerts/1", "/alerts/99999999999999999999", f"/alerts/channels/{UUID(int=7)}"],
)
def test_what_is_not_there_is_404(desk: Desk, admin: FlaskClient, path: str) -> None:
    del desk
    assert admin.get(path).status_code == 404


def test_odd_places_of_the_history_are_its_top(desk: Desk, admin: FlaskClient) -> None:
    del desk
    for before in ("x", "-1", "9" * 40, "%00", "1e3"):
        assert admin.get(f"/alerts/?before={before}").status_code == 200


def test_an_invitation_is_sent_by_email(desk: Desk, admin: FlaskClient) -> None:
    form = {
        "app": str(desk.app_id),
        "email": "ana@example.com",
        "expires_days": "14",
        "sends": "y",
        "remind_days": "3",
    }

    made = admin.post("/connections/invitations/", data=form)

    assert "The link is sent by email." in text(made)
    assert "Email queued" in text(admin.get("/connections/invitations/"))
