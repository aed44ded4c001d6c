"""Refused requests: listed apart from the log, all of them counted."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from dashboard.db import Database
from dashboard.models.ids import new_id
from dashboard.models.webhook import Refusal, RefusalCount
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.paging import Place
from dashboard.services.receiver import refusals
from dashboard.vault import Vault
from tests.makers import NOON, saved_app


def a_refusal(app_id: UUID, **over: Any) -> Refusal:
    values: dict[str, Any] = {
        "id": new_id(NOON),
        "zoom_app_id": app_id,
        "cause": "signature",
        "detail": "No secret matches.",
        "status": 401,
        "body_bytes": 10,
        "received_at": NOON,
    }
    return Refusal(**(values | over))


def test_refused_requests_are_listed_apart_and_counted_by_cause(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        zoom_app = session.get_one(ZoomApp, saved_app(session, vault))
    hours = [NOON - timedelta(hours=30), NOON - timedelta(hours=3), NOON]
    rows = [
        a_refusal(zoom_app.id),
        *(
            RefusalCount(
                id=new_id(hour),
                zoom_app_id=zoom_app.id,
                cause=cause,
                hour_at=hour,
                requests=10,
            )
            for hour in hours
            for cause in ("signature", "too_old")
        ),
        RefusalCount(
            id=new_id(NOON),
            zoom_app_id=zoom_app.id,
            cause="too_old",
            hour_at=NOON - timedelta(hours=1),
            requests=1,
        ),
    ]
    with database.writing() as session:
        session.add_all(rows)

    with database.reading() as session:
        listed = refusals.page(session, place=Place())
        causes = refusals.by_cause(session, since=NOON - timedelta(hours=24))
        number = refusals.count_sample(session, zoom_app_id=zoom_app.id)

    assert ([row.cause for row in listed.rows], number) == (["signature"], 1)
    assert [(each.cause, each.requests) for each in causes] == [
        ("too_old", 21),
        ("signature", 20),
    ]
