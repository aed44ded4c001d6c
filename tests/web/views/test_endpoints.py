"""The pages of endpoints: what is entered, shown once, sent again."""

from html import unescape
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlmodel import select

from dashboard.models.endpoint import DeliveryOutcome, Endpoint, EndpointDelivery
from dashboard.models.staff import Role
from dashboard.services import audit, events
from dashboard.services.endpoints import endpoints
from dashboard.services.runtime import Runtime
from dashboard.worker import Worker
from tests.conftest import SignIn
from tests.fixtures.endpoints import OwnServer, local, own
from tests.fixtures.relay import app_id, recall_app
from tests.makers import FakeClock

__all__ = ["app_id", "local", "own", "recall_app"]

URL = "https://hooks.example.com/in?key=hidden"
ACTOR = audit.Actor(name="admin@example.com")


@pytest.fixture
def admin(as_role: SignIn) -> FlaskClient:
    return as_role(Role.ADMIN)


def only(runtime: Runtime) -> Endpoint:
    with runtime.database.reading() as session:
        return session.exec(select(Endpoint)).one()


def test_a_new_endpoint_shows_its_secret_once(
    admin: FlaskClient, runtime: Runtime, app_id: UUID
) -> None:
    answer = admin.post(
        "/endpoints/new",
        data={
            "url": URL,
            "events": ["connection.created", "webhook.dead"],
            "zoom_apps": [str(app_id)],
        },
    )
    assert answer.status_code == 200
    assert "whsec_" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    row = only(runtime)
    assert row.events == "connection.created webhook.dead"
    assert row.zoom_apps == str(app_id)

    page = admin.get(f"/endpoints/{row.id}").text
    assert "whsec_" not in page
    assert "key=hidden" not in page
    assert "https://hooks.example.com/in?…" in unescape(page)
    assert "hooks.example.com" in admin.get("/endpoints/").text


def test_what_was_typed_stays_after_an_error(admin: FlaskClient) -> None:
    answer = admin.post(
        "/endpoints/new",
        data={"url": "https://10.0.0.1/in", "events": ["webhook.dead"]},
    )
    assert answer.status_code == 422
    assert "private address" in answer.text
    assert "Nothing was saved" in answer.text
    (box,) = [each for each in answer.text.split("<input") if "webhook.dead" in each]
    assert "checked" in box


def test_a_new_secret_is_shown_once_and_the_former_one_is_said_to_sign(
    admin: FlaskClient, runtime: Runtime
) -> None:
    made = endpoints.add(runtime, SecretStr(URL), events=["webhook.dead"], actor=ACTOR)
    answer = admin.post(f"/endpoints/{made.id}/rotate")
    assert "whsec_" in answer.text
    assert made.secret.get_secret_value() not in answer.text
    assert "Former secret" in admin.get(f"/endpoints/{made.id}").text


def test_a_destination_is_added_tested_paused_resumed_and_removed(
    admin: FlaskClient, local: Runtime, app_id: UUID, own: OwnServer
) -> None:
    answer = admin.post(
        "/endpoints/destinations/new",
        data={"zoom_app": str(app_id), "url": own.url},
        follow_redirects=True,
    )
    assert "Added." in answer.text
    row = only(local)
    answer = admin.post(f"/endpoints/{row.id}/test", follow_redirects=True)
    assert "on its way" in answer.text
    Worker(local).run_once(local.clock.now())
    assert len(own.came) == 1
    assert "Delivered" in admin.get(f"/endpoints/{row.id}").text

    for act, words in (
        ("pause", "Paused"),
        ("resume", "Resumed"),
        ("remove", "Removed"),
    ):
        answer = admin.post(f"/endpoints/{row.id}/{act}", follow_redirects=True)
        assert words in answer.text
    assert admin.get(f"/endpoints/{row.id}").status_code == 404


def test_what_failed_is_sent_again_from_the_page(
    admin: FlaskClient, local: Runtime, own: OwnServer, clock: FakeClock
) -> None:
    made = endpoints.add(
        local, SecretStr(own.url), events=["webhook.dead"], actor=ACTOR
    )
    endpoints.send_test(local.database, local.clock, made.id, actor=ACTOR)
    with local.database.writing() as session:
        row = session.exec(select(EndpointDelivery)).one()
        row.outcome, row.outcome_reason = DeliveryOutcome.DEAD, "The endpoint failed."
        session.add(row)
    page = admin.get(f"/endpoints/{made.id}").text
    assert "Resend what failed" in page
    assert "The endpoint failed." in page
    answer = admin.post(f"/endpoints/{made.id}/resend", follow_redirects=True)
    assert "1 delivery is sent again" in answer.text
    again = admin.post(f"/endpoints/deliveries/{row.id}/resend", follow_redirects=True)
    assert "queued already" in again.text
    clock.advance(seconds=1)
    Worker(local).run_once(clock.now())
    page = admin.get(f"/endpoints/deliveries/{row.id}").text
    assert "The endpoint accepted it (200)" in page


def test_a_delivery_shows_the_message_and_each_attempt(
    admin: FlaskClient, local: Runtime, app_id: UUID, own: OwnServer
) -> None:
    endpoints.add(local, SecretStr(own.url), events=["connection.erased"], actor=ACTOR)
    own.status, own.answer = 500, b"<script>alert(1)</script>"
    with local.database.writing() as session:
        said = events.ConnectionErased(connection_id=app_id, zoom_app_id=app_id)
        events.record(session, said, at=local.clock.now())
    Worker(local).run_once(local.clock.now())
    with local.database.reading() as session:
        row = session.exec(select(EndpointDelivery)).one()
    page = admin.get(f"/endpoints/deliveries/{row.id}").text
    assert "connection.erased" in page
    assert "The endpoint rejected it (500)" in page
    assert "<script>alert" not in page


def test_an_endpoint_paused_for_failing_needs_attention(
    admin: FlaskClient, runtime: Runtime
) -> None:
    made = endpoints.add(runtime, SecretStr(URL), events=["webhook.dead"], actor=ACTOR)
    with runtime.database.writing() as session:
        row = session.get_one(Endpoint, made.id)
        row.paused_at = runtime.clock.now()
        session.add(row)
    page = admin.get("/").text
    assert "Endpoint hooks.example.com is paused" in page
    assert "See endpoints" in page
    assert "Paused automatically" in admin.get(f"/endpoints/{made.id}").text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.OPERATOR])
def test_nobody_but_an_admin_sees_them(as_role: SignIn, role: Role) -> None:
    client = as_role(role)
    assert client.get("/endpoints/").status_code == 403
    assert client.post("/endpoints/new").status_code == 403
