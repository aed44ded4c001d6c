"""Dead webhooks, and what a person does with them in a browser."""

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlalchemy import update
from sqlmodel import col, select

from dashboard.models.resend import Redelivery, RedeliveryOutcome, Resend
from dashboard.models.webhook import Outcome
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.runtime import Services
from tests.makers import NOON, a_webhook, saved_app

DEAD = "/webhooks/resends/new?outcome=dead"
FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def zoom_app(services: Services) -> ZoomApp:
    with services.database.writing() as session:
        return session.get_one(ZoomApp, saved_app(session, services.vault))


@pytest.fixture
def dead(services: Services, zoom_app: ZoomApp) -> list[int]:
    """Store 1,200 dead webhooks, 37 minutes to 20 hours old, and some others."""
    began = NOON - timedelta(minutes=37) - timedelta(minutes=1199)
    rows = [
        a_webhook(
            zoom_app,
            received_at=began + timedelta(minutes=each),
            outcome=Outcome.DEAD,
        )
        for each in range(1200)
    ]
    others = [
        a_webhook(zoom_app, received_at=began, outcome=outcome)
        for outcome in (Outcome.DELIVERED, Outcome.WAITING, Outcome.KEPT)
    ]
    with services.database.writing() as session:
        session.add_all([*rows, *others])
    return [row.id for row in rows]


def soup(browser: FlaskClient, url: str, **over: Any) -> BeautifulSoup:
    answer = browser.get(url, **over)
    assert answer.status_code == over.pop("status", 200), answer.text
    return BeautifulSoup(answer.text, "html5lib")


def text(page: BeautifulSoup, selector: str = "main") -> str:
    found = page.select_one(selector)
    assert found is not None
    return " ".join(found.get_text(" ").split())


def form_of(page: BeautifulSoup) -> tuple[str, dict[str, str]]:
    form = page.select_one("main form[method=post]")
    assert form is not None
    values = {str(each["name"]): str(each["value"]) for each in form.select("input")}
    return str(form["action"]), values


def begin(browser: FlaskClient, url: str = DEAD) -> int:
    action, values = form_of(soup(browser, url))
    answer = browser.post(action, data=values)
    assert answer.status_code == 303, answer.text
    return int(answer.headers["Location"].rpartition("/")[2])


def resends_of(services: Services) -> list[Resend]:
    with services.database.reading() as session:
        return list(session.exec(select(Resend)))


def end(services: Services, number: int, outcome: RedeliveryOutcome) -> None:
    some = select(Redelivery.id).where(
        col(Redelivery.outcome) == RedeliveryOutcome.WAITING
    )
    with services.database.writing() as session:
        ids = session.exec(some.order_by(col(Redelivery.id)).limit(number)).all()
        session.connection().execute(
            update(Redelivery)
            .where(col(Redelivery.id).in_(ids))
            .values(outcome=outcome, ended_at=NOON, outcome_reason="Recall said no.")
        )
