import hashlib
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Never
from uuid import UUID

import pytest
from sqlmodel import col, select
from structlog.testing import capture_logs
from werkzeug.test import Client

from dashboard.errors import DatabaseBusyError, StorageError
from dashboard.models.check import Check, Finding, Source
from dashboard.models.webhook import Outcome, WebhookBody
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import App
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.receiver.signatures import sign, signed_bytes
from dashboard.services.runtime import Runtime
from dashboard.web.hooks.wsgi import WebhookMiddleware
from dashboard.worker import Worker
from tests.fixtures.relay import (
    BODY,
    CHALLENGE,
    RECEIVER,
    With,
    app_id,
    arrive,
    at_recall,
    attempts,
    find,
    recall_app,
    until,
)

__all__ = ["app_id", "recall_app"]
from tests.makers import NOON, SECRET_TOKEN, FakeClock


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    return Worker(runtime)


@pytest.fixture
def running_worker(runtime: Runtime) -> Iterator[Worker]:
    worker = Worker(runtime)
    worker.start()
    yield worker
    worker.stop()


def test_recall_gets_the_bytes_and_headers_zoom_sent_and_no_others(
    runtime: Runtime, worker: Worker, sandbox: RunningSandbox, app_id: UUID
) -> None:
    webhook_id = arrive(runtime, app_id)

    made = worker.run_once(runtime.clock.now())

    [received] = at_recall(sandbox)
    assert made == 1
    assert received.body == BODY
    assert received.status == 200
    assert received.headers["content-type"] == "application/json; charset=utf-8"
    assert received.headers["x-zm-request-timestamp"] == str(int(NOON.timestamp()))
    assert received.headers["x-zm-trackingid"] == "WEB_1"
    assert received.headers["clientid"] == "simC000000000000000001"
    assert received.headers["user-agent"] == "zoom-recall-dashboard"
    assert not {"authorization", "traceparent", "cookie"} & set(received.headers)
    assert find(runtime, webhook_id).outcome is Outcome.DELIVERED
    [attempt] = attempts(runtime, webhook_id)
    assert attempt.sent_sha256 == hashlib.sha256(BODY).hexdigest()


@pytest.mark.usefixtures("running_worker")
def test_a_webhook_leaves_as_soon_as_it_is_committed(
    runtime: Runtime, sandbox: RunningSandbox, app_id: UUID
) -> None:
    ids = [arrive(runtime, app_id, b'{"n":%d,"payload":{}}' % n) for n in range(40)]
    until(lambda: all(find(runtime, each).outcome is Outcome.DELIVERED for each in ids))

    assert len(at_recall(sandbox)) == 40


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (FaultKind.DOWN, "connection closed"),
        (FaultKind.UNAVAILABLE, "503"),
        (FaultKind.SERVER_ERROR, "500"),
        (FaultKind.HTML_403, "403"),
        (FaultKind.RATE_LIMITED_BARE, "429"),
        (FaultKind.LOST_ANSWER, "connection closed"),
    ],
)
def test_whatever_recall_does_it_is_tried_again_until_it_is_there(  # noqa: PLR0917 - fixtures
    runtime: Runtime,
    worker: Worker,
    sandbox: RunningSandbox,
    clock: FakeClock,
    app_id: UUID,
    kind: FaultKind,
    words: str,
) -> None:
    sandbox.recall_faults.set([Fault(kind=kind, path=RECEIVER, times=2)])
    webhook_id = arrive(runtime, app_id)

    worker.run_once(clock.now())
    reason = find(runtime, webhook_id).outcome_reason
    for _ in range(2):
        clock.advance(minutes=1)
        worker.run_once(clock.now())

    assert words in reason
    assert find(runtime, webhook_id).outcome is Outcome.DELIVERED
    assert len(attempts(runtime, webhook_id)) == 3
    assert {each.body for each in at_recall(sandbox)} == {BODY}


def test_retry_after_is_waited_for(
    runtime: Runtime,
    worker: Worker,
    sandbox: RunningSandbox,
    clock: FakeClock,
    app_id: UUID,
) -> None:
    limited = Fault(kind=FaultKind.RATE_LIMITED, path=RECEIVER, times=1, seconds=120)
    sandbox.recall_faults.set([limited])
    webhook_id = arrive(runtime, app_id)

    worker.run_once(clock.now())

    assert find(runtime, webhook_id).due_at - NOON >= timedelta(seconds=120)
    assert worker.run_once(clock.now() + timedelta(seconds=119)) == 0


def test_nobody_at_recalls_address_is_a_reason_and_no_crash(
    runtime: Runtime, clock: FakeClock, app_id: UUID
) -> None:
    nowhere = runtime.settings.model_copy(update={"recall_url": "http://127.0.0.1:1"})
    gone: Any = With(runtime, settings=nowhere)
    webhook_id = arrive(runtime, app_id)

    Worker(gone).run_once(clock.now())

    assert "could not be reached" in find(runtime, webhook_id).outcome_reason


def test_recall_holding_another_secret_is_found_by_the_challenge(
    runtime: Runtime, worker: Worker, recall_app: App, app_id: UUID
) -> None:
    recall_app.webhook_secret = "test-secret-token-0002"
    webhook_id = arrive(runtime, app_id, CHALLENGE)

    worker.run_once(runtime.clock.now())

    with runtime.database.reading() as session:
        query = select(Check).where(col(Check.source) == Source.RECALL_CHALLENGE)
        check = session.exec(query).one()
    assert check.finding is Finding.SECRET_MISMATCH
    assert check.webhook_id == webhook_id
    assert find(runtime, webhook_id).outcome is Outcome.WAITING


def test_recalls_right_answer_to_a_challenge_is_evidence(
    runtime: Runtime, worker: Worker, app_id: UUID
) -> None:
    arrive(runtime, app_id, CHALLENGE)

    worker.run_once(runtime.clock.now())

    with runtime.database.reading() as session:
        query = select(Check.finding).where(
            col(Check.source) == Source.RECALL_CHALLENGE
        )
        assert session.exec(query).all() == [Finding.GOOD]


def test_bytes_that_do_not_open_are_kept_and_said(
    runtime: Runtime, worker: Worker, sandbox: RunningSandbox, app_id: UUID
) -> None:
    webhook_id = arrive(runtime, app_id)
    with runtime.database.writing() as session:
        sealed = session.get_one(WebhookBody, webhook_id)
        sealed.body = sealed.headers  # another place's value
        session.add(sealed)

    worker.run_once(runtime.clock.now())

    webhook = find(runtime, webhook_id)
    assert webhook.outcome is Outcome.WAITING
    assert "DASHBOARD_ENCRYPTION_KEYS" in webhook.outcome_reason
    assert at_recall(sandbox) == []


def test_a_header_that_cannot_go_unchanged_stays_behind(
    runtime: Runtime, worker: Worker, sandbox: RunningSandbox, app_id: UUID
) -> None:
    arrive(runtime, app_id, tracking_id="é\r\nx-evil: 1")

    worker.run_once(runtime.clock.now())

    [received] = at_recall(sandbox)
    assert received.body == BODY
    assert not {"x-zm-trackingid", "x-evil"} & set(received.headers)


def test_a_chore_that_fails_stops_neither_the_others_nor_the_next_time(
    runtime: Runtime,
) -> None:
    calls: list[int] = []
    twice = threading.Event()

    def fail() -> Never:
        raise RuntimeError("a bug")

    def count() -> int:
        calls.append(1)
        if len(calls) > 1:
            twice.set()
        return 1

    worker = Worker(runtime, chores=[fail, count])
    worker.start()
    seen_twice = twice.wait(10)
    worker.stop()

    assert seen_twice


def test_a_chore_that_waits_again_and_again_is_one_line(runtime: Runtime) -> None:
    calls: list[int] = []
    often = threading.Event()

    def wait() -> Never:
        calls.append(1)
        if len(calls) > 2:
            often.set()
        raise DatabaseBusyError("Another process writes to this file.")

    worker = Worker(runtime, chores=[wait])
    with capture_logs() as logs:
        worker.start()
        seen_often = often.wait(10)
        worker.stop()

    assert seen_often
    waits = [each for each in logs if each["event"].startswith("chore.")]
    assert [(each["event"], each["log_level"]) for each in waits] == [
        ("chore.waits", "warning")
    ]


def test_what_is_under_way_is_written_back_before_the_end(
    runtime: Runtime, sandbox: RunningSandbox, app_id: UUID
) -> None:
    slow = Fault(kind=FaultKind.SLOW, path=RECEIVER, seconds=0.5)
    sandbox.recall_faults.set([slow])
    worker = Worker(runtime)
    worker.start()
    webhook_id = arrive(runtime, app_id)
    until(lambda: find(runtime, webhook_id).claim == 1)

    worker.stop()

    assert find(runtime, webhook_id).outcome is Outcome.DELIVERED


def test_a_worker_whose_database_was_away_writes_back_when_it_is_there(
    runtime: Runtime, sandbox: RunningSandbox, app_id: UUID
) -> None:
    away = threading.Event()
    left = threading.Semaphore(0)

    class Flaky:
        """The database, which cannot be written to while it is away."""

        is_sqlite = False

        def notices(self, *_: Any, **__: Any) -> Any:
            return iter(())

        def reading(self) -> Any:
            return runtime.database.reading()

        def writing(self) -> Any:
            if away.is_set():
                left.release()
                raise StorageError("The database is away.")
            return runtime.database.writing()

    slow = Fault(kind=FaultKind.SLOW, path=RECEIVER, seconds=0.3)
    sandbox.recall_faults.set([slow])
    flaky: Any = With(runtime, database=Flaky())
    worker = Worker(flaky)
    worker.start()
    webhook_id = arrive(runtime, app_id)
    until(lambda: find(runtime, webhook_id).claim == 1)
    away.set()
    left.acquire(timeout=10)

    away.clear()
    until(lambda: find(runtime, webhook_id).outcome is Outcome.DELIVERED)
    worker.stop()

    assert len(at_recall(sandbox)) == 1
    assert find(runtime, webhook_id).outcome is Outcome.DELIVERED


HALF_A_CHARACTER = (
    b'{"event":"meeting.created","payload":{"object":{"topic":"cut \xe2\x82 here"}}}'
)


@pytest.mark.parametrize(
    ("body", "timestamp"),
    [
        (BODY, str(int((NOON - timedelta(hours=7)).timestamp()))),
        (BODY, str(int((NOON - timedelta(hours=62)).timestamp()))),
        (BODY, str(int(NOON.timestamp() * 1000))),
        (BODY, str(int((NOON + timedelta(hours=1)).timestamp()))),
        (HALF_A_CHARACTER, None),
        (b'{"event":"meeting.created"} // a comment', None),
        (b"", None),
    ],
    ids=["7 h", "62 h", "milliseconds", "ahead", "half a character", "comment", "none"],
)
def test_what_is_odd_reaches_recall_byte_for_byte(  # noqa: PLR0917 - fixtures
    runtime: Runtime,
    worker: Worker,
    sandbox: RunningSandbox,
    app_id: UUID,
    body: bytes,
    timestamp: str | None,
) -> None:
    switches = sandbox.recall_world.switches
    switches.timestamps, switches.unreadable = "any", 200
    zoom = Client(WebhookMiddleware(_nothing, runtime))
    timestamp = timestamp or str(int(NOON.timestamp()))
    signature = sign(signed_bytes(timestamp, body), SECRET_TOKEN).decode()
    headers = {"x-zm-request-timestamp": timestamp, "x-zm-signature": signature}

    answers = [
        zoom.post(f"/hooks/zoom/{app_id}", data=body, headers=headers).status_code
        for _ in range(2)
    ]
    made = worker.run_once(runtime.clock.now())

    assert (answers, made) == ([200, 200], 1)
    [received] = at_recall(sandbox)
    assert received.body == body
    assert headers.items() <= received.headers.items()
    assert received.status == 200


def _nothing(_environ: object, _start_response: object) -> list[bytes]:
    raise AssertionError("no page is asked for")
