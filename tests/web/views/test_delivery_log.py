"""Zoom's own delivery log where people look: its page, the webhooks, validation."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.models.delivery_log import DeliveryLog, FailedDelivery
from dashboard.models.ids import new_id
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from dashboard.services.status import zoom_app as status
from dashboard.services.validation.states import State, ValidationStatus
from tests.makers import CLIENT_SECRET, NOON, a_body, a_webhook, a_zoom_app


@pytest.fixture
def app_id(runtime: Runtime, sandbox: RunningSandbox) -> UUID:
    at_zoom = sandbox.zoom_world.add_app(client_secret=CLIENT_SECRET.get_secret_value())
    app = a_zoom_app(
        runtime.vault,
        client_id=at_zoom.client_id,
        marketplace_app_id=at_zoom.app_id,
    )
    with runtime.database.writing() as session:
        session.add(app)
    return app.id


def failed(runtime: Runtime, app_id: UUID, **over: Any) -> FailedDelivery:
    at = over.get("sent_at", NOON - timedelta(minutes=10))
    values = {
        "id": new_id(at),
        "zoom_app_id": app_id,
        "key": b"k",
        "dedupe": b"d",
        "event": "meeting.created",
        "host": "dash.example.com",
        "status": 502,
        "answered_by": "page",
        "sent_at": at,
    }
    row = FailedDelivery(**(values | over))
    with runtime.database.writing() as session:
        session.add(row)
    return row


def words(answer: Any) -> str:
    return " ".join(BeautifulSoup(answer.text, "html5lib").get_text(" ").split())


def test_an_admin_enters_zooms_id_and_reads_the_log(
    admin: FlaskClient, runtime: Runtime, app_id: UUID
) -> None:
    url = f"/zoom-apps/{app_id}/delivery-log"
    saved = admin.post(f"{url}/app-id", data={"app_id": " abcd1234 "})
    with runtime.database.reading() as session:
        stored = session.get_one(ZoomApp, app_id).marketplace_app_id
    read = admin.post(f"{url}/read", follow_redirects=True)

    assert (saved.status_code, stored) == (303, "abcd1234")
    assert "Not allowed by Zoom" in words(read)
    assert "The app does not exist." in words(read)


def test_what_is_no_id_is_said_at_its_field_and_stays_typed(
    admin: FlaskClient, app_id: UUID
) -> None:
    url = f"/zoom-apps/{app_id}/delivery-log/app-id"

    answer = admin.post(url, data={"app_id": "<script>"})

    page = BeautifulSoup(answer.text, "html5lib")
    field = page.select_one("input[name=app_id]")
    assert answer.status_code == 422
    assert field is not None
    assert field["value"] == "<script>"
    assert "This is no app ID of Zoom's." in words(answer)


def test_support_reads_it_and_changes_no_id(support: FlaskClient, app_id: UUID) -> None:
    url = f"/zoom-apps/{app_id}/delivery-log"

    page = support.post(f"{url}/read", follow_redirects=True)

    assert "Zoom's log was read." in words(page)
    assert "No failed deliveries" in words(page)
    assert support.post(f"{url}/app-id", data={"app_id": "x"}).status_code == 403


def test_a_slow_or_dead_zoom_leaves_the_page_as_it_was(
    admin: FlaskClient, runtime: Runtime, sandbox: RunningSandbox, app_id: UUID
) -> None:
    failed(runtime, app_id)
    sandbox.zoom_faults.set([Fault(kind=FaultKind.DOWN)])
    url = f"/zoom-apps/{app_id}/delivery-log"

    admin.post(f"{url}/read")

    page = words(admin.get(url))
    assert "Could not be read" in page
    assert "dash.example.com answered 502 with a web page." in page
    with runtime.database.reading() as session:
        assert session.get_one(DeliveryLog, app_id).read_at is None


def test_the_webhook_log_says_what_never_arrived(
    admin: FlaskClient, runtime: Runtime, app_id: UUID
) -> None:
    assert "By Zoom's own log" not in words(admin.get("/webhooks/"))
    failed(runtime, app_id)

    page = words(admin.get("/webhooks/"))

    assert "By Zoom's own log: Zoom sent meeting.created at 2026-11-23 11:50" in page
    assert "An operator must act." in page


def test_a_webhook_shows_the_tries_before_it_arrived(
    admin: FlaskClient, runtime: Runtime, app_id: UUID
) -> None:
    with runtime.database.reading() as session:
        app = session.get_one(ZoomApp, app_id)
    webhook = a_webhook(app, dedupe=b"d" * 32)
    with runtime.database.writing() as session:
        session.add_all([webhook, a_body(runtime.vault, webhook)])
    failed(runtime, app_id, dedupe=b"d" * 32)

    page = words(admin.get(f"/webhooks/{webhook.id}"))

    assert "Zoom's log: dash.example.com answered 502 with a web page" in page
    assert "By Zoom's own log" not in words(admin.get("/webhooks/"))


def test_validation_says_what_zooms_request_was_answered(
    admin: FlaskClient, runtime: Runtime, app_id: UUID
) -> None:
    failed(runtime, app_id, event="endpoint.url_validation", status=403)

    page = words(admin.get(f"/zoom-apps/{app_id}"))

    assert (
        "Zoom's delivery log: Zoom sent a validation request at 2026-11-23 11:50 UTC, "
        "and dash.example.com answered 403 with a web page."
    ) in page


def test_a_validation_that_passed_since_ends_that(
    runtime: Runtime, app_id: UUID
) -> None:
    failed(runtime, app_id, event="endpoint.url_validation")
    with runtime.database.reading() as session:
        app = session.get_one(ZoomApp, app_id)
        now = NOON
        valid = ValidationStatus(
            state=State.VALID, sentence="", since=NOON - timedelta(minutes=5)
        )
        assert status._zoom_says(session, app, valid, now) is None


def test_explain_says_it_of_a_meeting_that_nothing_else_mentions(
    admin: FlaskClient, runtime: Runtime, app_id: UUID
) -> None:
    failed(runtime, app_id, meeting_id=91234567890)

    page = words(admin.post("/explain/", data={"q": "912 3456 7890"}))

    assert "By Zoom's own log meeting.created was sent" in page
    assert "dash.example.com answered 502 with a web page" in page
    assert "An operator" in page or "an operator" in page
