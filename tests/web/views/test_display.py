"""One's own time zone and theme."""

import re
from datetime import UTC, datetime

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select

from dashboard.models.staff import Role, Staff
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.web import filters
from dashboard.web.live import fragments
from dashboard.web.signin import Onlooker
from tests.conftest import HTTPS, SignIn
from tests.makers import saved_app

AT = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)


@pytest.fixture
def auditor(as_role: SignIn, runtime: Runtime) -> FlaskClient:
    """A browser of somebody to whom the audit log shows one entry."""
    with runtime.database.writing() as session:
        audit.record(session, audit.COMMAND_LINE, "staff.added", subject="x", now=AT)
    return as_role(Role.AUDITOR)


def choose(browser: FlaskClient, **typed: str) -> int:
    form = {"time_zone": "", "theme": "", **typed}
    return browser.post("/account/display", data=form).status_code


def times(browser: FlaskClient) -> list[tuple[str, str]]:
    page = BeautifulSoup(browser.get("/audit/").text, "html5lib")
    return [(str(time["title"]), time.text) for time in page.select("td time")]


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("", "2026-07-01 22:30:00 UTC"),
        ("Europe/Paris", "2026-07-02 00:30:00 CEST"),
        ("America/Sao_Paulo", "2026-07-01 19:30:00 UTC-03"),
        ("Asia/Kolkata", "2026-07-02 04:00:00 IST"),
    ],
)
def test_times_are_drawn_in_the_zone_that_was_chosen_and_name_it(
    auditor: FlaskClient, zone: str, shown: str
) -> None:
    assert choose(auditor, time_zone=zone) == 303

    [(title, text)] = times(auditor)

    assert text == shown
    assert "2026-07-01 22:30:00 UTC" in title


def test_the_machine_s_own_form_stays_utc(auditor: FlaskClient) -> None:
    choose(auditor, time_zone="Europe/Paris")

    page = auditor.get("/audit/").text

    assert 'datetime="2026-07-01T22:30:00Z"' in page
    assert 'data-zone="Europe/Paris"' in page


@pytest.mark.parametrize(
    "typed", [{"time_zone": "Mars/Base"}, {"time_zone": "../x"}, {"theme": "pink"}]
)
def test_what_does_not_exist_is_refused(
    auditor: FlaskClient, runtime: Runtime, typed: dict[str, str]
) -> None:
    assert choose(auditor, **typed) == 422

    with runtime.database.reading() as session:
        [person] = session.exec(select(Staff)).all()
    assert (person.time_zone, person.theme) == ("", "")


def test_a_zone_that_this_machine_does_not_know_is_utc() -> None:
    assert filters.zone_of("Nowhere/Else") is UTC
    assert filters.zone_of("../../etc/passwd") is UTC


@pytest.mark.parametrize(("theme", "marked"), [("", None), ("dark", "dark")])
def test_the_theme_is_in_the_first_line_of_every_page(
    auditor: FlaskClient, theme: str, marked: str | None
) -> None:
    choose(auditor, theme=theme)

    root = BeautifulSoup(auditor.get("/audit/").text, "html5lib").html

    assert root is not None
    assert root.get("data-bs-theme") == root.get("data-own-theme") == marked


def test_it_is_one_s_own_and_changes_nobody_else_s(
    auditor: FlaskClient, as_role: SignIn
) -> None:
    admin = as_role(Role.ADMIN)
    choose(auditor, time_zone="Europe/Paris", theme="dark")

    page = admin.get("/audit/").text

    assert "UTC</time>" in page
    assert "CEST" not in page
    assert "data-own-theme" not in page


def test_what_is_pushed_is_drawn_for_each_zone(app: Flask, runtime: Runtime) -> None:
    with runtime.database.writing() as session:
        topic = f"zoom-app-{saved_app(session, runtime.vault)}"
    here, there = Onlooker(Role.ADMIN), Onlooker(Role.ADMIN, None, "Asia/Kolkata")

    drawn = fragments.drawing(app, HTTPS)(topic, [here, there])

    titles = {
        each: set(re.findall(r'title="[^"]* (UTC|IST)[ "(]', drawn[each].html.decode()))
        for each in (here, there)
    }
    assert titles == {here: {"UTC"}, there: {"IST"}}
