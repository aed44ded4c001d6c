"""Events and copies reach the customer's servers: signed, at least once, in order."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlmodel import col, select
from standardwebhooks import Webhook as Signing

from dashboard.clients.delivery import PASSED_ON
from dashboard.errors import ConflictError, InvalidInputError, NotFoundError
from dashboard.models.circuit import OpenCircuit
from dashboard.models.endpoint import (
    DeliveryOutcome,
    Endpoint,
    EndpointAttempt,
    EndpointDelivery,
)
from dashboard.models.webhook import Outcome, Webhook
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit, events
from dashboard.services.endpoints import endpoints
from dashboard.services.events import outbox
from dashboard.services.relay import retries
from dashboard.services.relay.results import PAUSED_AFTER
from dashboard.services.runtime import Runtime
from dashboard.worker import Worker
from tests.fixtures.endpoints import OwnServer, local, own, serving
from tests.fixtures.relay import BODY, app_id, arrive, recall_app
from tests.makers import FakeClock

__all__ = ["app_id", "local", "own", "recall_app"]
ADMIN = audit.Actor(name="admin@example.com")


def say(runtime: Runtime, zoom_app_id: UUID, **over: object) -> int:
    values: dict[str, object] = {"connection_id": uuid4(), "zoom_app_id": zoom_app_id}
    with runtime.database.writing() as session:
        return events.record(
            session,
            events.ConnectionErased.model_validate(values | over),
            at=runtime.clock.now(),
            references={"reference": "user-7", "tags": []},
        )


def add(runtime: Runtime, url: str, *kinds: str, **over: object) -> endpoints.Created:
    names = kinds or (events.ConnectionErased.kind,)
    return endpoints.add(
        runtime,
        SecretStr(url),
        events=names,
        actor=ADMIN,
        **over,  # type: ignore[arg-type]
    )


def run(runtime: Runtime) -> int:
    return Worker(runtime).run_once(runtime.clock.now())


def deliveries(runtime: Runtime) -> list[EndpointDelivery]:
    with runtime.database.reading() as session:
        query = select(EndpointDelivery).order_by(col(EndpointDelivery.id))
        return list(session.exec(query))


def endpoint(runtime: Runtime, endpoint_id: UUID) -> Endpoint:
    with runtime.database.reading() as session:
        return endpoints.get(session, endpoint_id)


def test_an_event_is_delivered_signed_with_its_id(
    local: Runtime, app_id: UUID, own: OwnServer
) -> None:
    made = add(local, f"{own.url}?key=1")
    event_id = say(local, app_id)

    assert run(local) == 1

    (came,) = own.came
    assert came.path == "/in?key=1"
    assert came.headers["webhook-id"] == f"evt_{event_id}"
    assert came.headers["content-type"] == "application/json"
    said = json.loads(came.body)
    assert (said["id"], said["type"]) == (f"evt_{event_id}", "connection.erased")
    assert said["data"]["reference"] == "user-7"
    key = made.secret.get_secret_value()
    signature = Signing(key).sign(
        came.headers["webhook-id"], local.clock.now(), came.body.decode()
    )
    assert came.headers["webhook-signature"] == signature
    (row,) = deliveries(local)
    assert row.outcome is DeliveryOutcome.DELIVERED
    assert endpoint(local, made.id).delivered_at == local.clock.now()


def test_only_chosen_events_of_chosen_zoom_apps_are_sent(
    local: Runtime, app_id: UUID, own: OwnServer
) -> None:
    add(local, own.url, "connection.created", zoom_apps=[app_id])
    say(local, app_id)
    with local.database.writing() as session:
        for its_app in (app_id, uuid4()):
            said = events.ConnectionCreated(connection_id=uuid4(), zoom_app_id=its_app)
            events.record(session, said, at=local.clock.now())

    assert run(local) == 1
    assert json.loads(own.came[0].body)["data"]["zoom_app_id"] == str(app_id)


def test_a_failed_delivery_is_tried_again_with_the_same_id_and_bytes(
    local: Runtime, app_id: UUID, own: OwnServer, clock: FakeClock
) -> None:
    add(local, own.url)
    say(local, app_id)
    own.status = 500
    run(local)
    own.status = 204
    clock.advance(minutes=1)
    run(local)

    first, second = own.came
    assert first.body == second.body
    assert own.ids[0] == own.ids[1]
    (row,) = deliveries(local)
    assert (row.outcome, row.attempts) == (DeliveryOutcome.DELIVERED, 2)
    with local.database.reading() as session:
        tries = session.exec(select(EndpointAttempt)).all()
    assert {each.status for each in tries} == {500, 204}


def test_it_is_given_up_after_a_day_and_can_be_sent_again(
    local: Runtime, app_id: UUID, own: OwnServer, clock: FakeClock
) -> None:
    made = add(local, own.url)
    say(local, app_id)
    own.status = 400
    for _ in range(len(retries.WAITS_S) + 1):
        run(local)
        clock.advance(hours=3)
    (row,) = deliveries(local)
    assert row.outcome is DeliveryOutcome.DEAD
    assert "23 attempts in 24 hours" in row.outcome_reason

    own.status = 200
    assert (
        endpoints.resend_failed(local.database, local.clock, made.id, actor=ADMIN) == 1
    )
    run(local)
    assert len(set(own.ids)) == 1
    assert deliveries(local)[0].outcome is DeliveryOutcome.DELIVERED
    endpoints.resend(local.database, local.clock, row.id, actor=ADMIN)
    with pytest.raises(ConflictError, match="queued already"):
        endpoints.resend(local.database, local.clock, row.id, actor=ADMIN)


def test_both_secrets_sign_during_a_rotation_and_then_the_new_one_alone(
    local: Runtime, app_id: UUID, own: OwnServer, clock: FakeClock
) -> None:
    former = add(local, own.url)
    new = endpoints.rotate(local, former.id, actor=ADMIN)
    assert new.secret != former.secret
    say(local, app_id)
    run(local)
    clock.advance(hours=25)
    say(local, app_id)
    run(local)

    during, after = own.came
    assert len(during.headers["webhook-signature"].split(" ")) == 2
    for key in (former, new):
        assert _fits(key.secret, during.headers, during.body)
    assert not _fits(former.secret, after.headers, after.body)
    assert _fits(new.secret, after.headers, after.body)


def _fits(secret: SecretStr, headers: dict[str, str], body: bytes) -> bool:
    signing = Signing(secret.get_secret_value())
    at = int(headers["webhook-timestamp"])
    expected = signing.sign(headers["webhook-id"], _instant(at), body.decode())
    return expected in headers["webhook-signature"].split(" ")


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def test_a_paused_endpoint_gets_everything_when_it_is_resumed(
    local: Runtime, app_id: UUID, own: OwnServer
) -> None:
    made = add(local, own.url)
    endpoints.pause(local.database, local.clock, made.id, actor=ADMIN)
    said = [say(local, app_id) for _ in range(3)]
    assert run(local) == 0
    with pytest.raises(ConflictError, match="paused"):
        endpoints.send_test(local.database, local.clock, made.id, actor=ADMIN)

    endpoints.resume(local.database, local.clock, made.id, actor=ADMIN)
    assert run(local) == 3
    assert sorted(own.ids) == sorted(f"evt_{each}" for each in said)


def test_an_endpoint_that_fails_for_days_is_paused(
    local: Runtime, app_id: UUID, own: OwnServer, clock: FakeClock
) -> None:
    made = add(local, own.url)
    own.status = 503
    say(local, app_id)
    run(local)
    assert endpoint(local, made.id).failing_since == clock.now()
    clock.advance(seconds=PAUSED_AFTER.total_seconds() - 60)
    say(local, app_id)
    run(local)
    assert endpoint(local, made.id).paused_at is None
    clock.advance(minutes=10)
    say(local, app_id)
    run(local)

    found = endpoint(local, made.id)
    assert (found.paused_at, found.paused_by) == (clock.now(), "")
    with local.database.reading() as session:
        assert [each.id for each in endpoints.paused_automatically(session)] == [
            made.id
        ]


def test_one_success_ends_the_failing(
    local: Runtime, app_id: UUID, own: OwnServer, clock: FakeClock
) -> None:
    made = add(local, own.url)
    own.status = 503
    say(local, app_id)
    run(local)
    own.status = 200
    clock.advance(minutes=1)
    run(local)
    assert endpoint(local, made.id).failing_since is None


def test_a_dead_endpoint_is_only_probed_and_then_gets_everything_in_order(
    local: Runtime, app_id: UUID, own: OwnServer, clock: FakeClock
) -> None:
    made = add(local, own.url)
    own.status = 500
    said = [say(local, app_id) for _ in range(8)]
    run(local)
    with local.database.reading() as session:
        circuit = session.get(OpenCircuit, made.id)
    assert circuit is not None
    assert circuit.is_holding
    before = len(own.came)
    clock.advance(seconds=2)
    run(local)
    assert len(own.came) == before + 1  # a single probe

    own.status = 200
    own.came.clear()
    clock.advance(minutes=10)
    run(local)
    clock.advance(minutes=10)
    run(local)
    assert sorted(own.ids) == sorted(f"evt_{each}" for each in said)
    assert {each.outcome for each in deliveries(local)} == {DeliveryOutcome.DELIVERED}


def test_a_test_message_is_signed_and_is_no_event(
    local: Runtime, own: OwnServer
) -> None:
    made = add(local, own.url)
    sent = endpoints.send_test(local.database, local.clock, made.id, actor=ADMIN)
    run(local)

    (came,) = own.came
    assert json.loads(came.body)["type"] == "endpoint.test"
    assert came.headers["webhook-id"] == f"test_{sent}"
    assert _fits(made.secret, came.headers, came.body)
    with local.database.reading() as session:
        assert outbox.page(session) == []
        lines, more = endpoints.log(session, made.id)
    assert [(each.what, each.word, more) for each in lines] == [
        ("Test", "Delivered", None)
    ]


def test_a_destination_gets_the_same_bytes_and_headers_as_recall(
    local: Runtime, app_id: UUID, own: OwnServer, sandbox: RunningSandbox
) -> None:
    endpoints.add_destination(local, app_id, SecretStr(own.url), actor=ADMIN)
    webhook_id = arrive(local, app_id)
    run(local)

    (came,) = own.came
    assert came.body == BODY
    (there,) = sandbox.recall_world.received
    ours = {name: value for name, value in came.headers.items() if name in PASSED_ON}
    theirs = {
        name.lower(): value
        for name, value in there.headers.items()
        if name.lower() in PASSED_ON
    }
    assert ours == theirs
    assert ours["x-zm-signature"].startswith("v0=")
    (row,) = deliveries(local)
    assert (row.webhook_id, row.outcome) == (webhook_id, DeliveryOutcome.DELIVERED)


def test_a_repeat_of_zooms_is_copied_once(
    local: Runtime, app_id: UUID, own: OwnServer
) -> None:
    endpoints.add_destination(local, app_id, SecretStr(own.url), actor=ADMIN)
    arrive(local, app_id)
    arrive(local, app_id, tracking_id="WEB_2")
    run(local)
    assert len(own.came) == 1


def test_a_dead_destination_changes_nothing_for_recall(
    local: Runtime, app_id: UUID, own: OwnServer
) -> None:
    endpoints.add_destination(local, app_id, SecretStr(own.url), actor=ADMIN)
    own.status = 500
    webhook_id = arrive(local, app_id)
    run(local)
    with local.database.reading() as session:
        webhook = session.get_one(Webhook, webhook_id)
    assert (webhook.outcome, webhook.attempts) == (Outcome.DELIVERED, 1)


def test_a_destination_that_was_just_removed_stops_no_webhook(
    local: Runtime, app_id: UUID, own: OwnServer
) -> None:
    row = endpoints.add_destination(local, app_id, SecretStr(own.url), actor=ADMIN)
    arrive(local, app_id)
    endpoints.remove(
        local.database, local.clock, row.id, actor=ADMIN
    )  # still in the keyring for a second
    arrive(local, app_id, BODY.replace(b"1760000100456", b"1760000100457"))
    assert deliveries(local) == []


def test_a_test_of_a_destination_is_zooms_validation_request(
    local: Runtime, app_id: UUID, own: OwnServer
) -> None:
    row = endpoints.add_destination(local, app_id, SecretStr(own.url), actor=ADMIN)
    endpoints.send_test(local.database, local.clock, row.id, actor=ADMIN)
    run(local)
    (came,) = own.came
    assert json.loads(came.body)["event"] == "endpoint.url_validation"
    assert came.headers["x-zm-signature"].startswith("v0=")


def test_a_private_address_is_refused_when_entered_and_when_sent_to(
    runtime: Runtime, app_id: UUID, own: OwnServer
) -> None:
    with pytest.raises(InvalidInputError, match="http://"):
        add(runtime, own.url)
    with pytest.raises(InvalidInputError, match="private address"):
        add(runtime, own.url.replace("http:", "https:"))
    made = add(runtime, "https://hooks.example.com/in")
    with runtime.database.writing() as session:
        row = session.get_one(Endpoint, made.id)
        row.url = runtime.vault.seal_text(
            SecretStr(own.url.replace("http:", "https:")),
            table="endpoint",
            column="url",
            row=row.id,
        )
        session.add(row)
    say(runtime, app_id)
    run(runtime)
    assert own.came == []
    assert "private address" in deliveries(runtime)[0].outcome_reason


def test_what_can_not_be_used_is_refused(local: Runtime, own: OwnServer) -> None:
    with pytest.raises(InvalidInputError, match="no event"):
        add(local, own.url, "connection.gone")
    with pytest.raises(InvalidInputError, match="at least one"):
        endpoints.add(local, SecretStr(own.url), events=[], actor=ADMIN)
    with pytest.raises(NotFoundError):
        add(local, own.url, zoom_apps=[uuid4()])
    with pytest.raises(NotFoundError):
        endpoints.add_destination(local, uuid4(), SecretStr(own.url), actor=ADMIN)


def test_a_secret_that_is_echoed_is_not_stored(
    local: Runtime, app_id: UUID, own: OwnServer
) -> None:
    made = add(local, own.url)
    own.answer = b"Got: " + made.secret.get_secret_value().encode()
    say(local, app_id)
    run(local)
    with local.database.reading() as session:
        (attempt,) = session.exec(select(EndpointAttempt)).all()
    assert made.secret.get_secret_value() not in attempt.answer
    assert attempt.answer.startswith("Got: ")


def test_a_slow_endpoint_delays_neither_recall_nor_another_endpoint(
    local: Runtime, app_id: UUID, own: OwnServer, sandbox: RunningSandbox
) -> None:
    own.waits.clear()
    endpoints.add_destination(local, app_id, SecretStr(own.url), actor=ADMIN)
    with serving() as other:
        endpoints.add_destination(local, app_id, SecretStr(other.url), actor=ADMIN)
        worker = Worker(local)
        worker.start()
        try:
            for number in range(40):
                body = BODY.replace(
                    b"1760000100456", f"{1760000100456 + number}".encode()
                )
                arrive(local, app_id, body)
            _until(lambda: len(sandbox.recall_world.received) == 40)
            _until(lambda: len(other.came) == 40)
            assert len(own.came) <= 16
        finally:
            own.waits.set()
            worker.stop()


def _until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.05)
