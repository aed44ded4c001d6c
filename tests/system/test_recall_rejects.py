"""What becomes of a webhook that Recall rejects, with a real worker and Recall.

Recall publishes neither what it answers to an invalid signature nor the body of a
success (docs/contracts/recall.md 3.8), so every form has to be survived.
"""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from dashboard.models.check import Check, Finding, Source
from dashboard.models.circuit import OpenCircuit
from dashboard.models.webhook import Outcome
from dashboard.sandbox.recall.records import App
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.probes.watcher import run_due
from dashboard.services.runtime import Runtime
from dashboard.services.validation import evidence
from dashboard.worker import Worker
from tests.fixtures.relay import app_id, arrive, attempts, find, recall_app
from tests.makers import LATER, SECRET_TOKEN, FakeClock

__all__ = ["app_id", "recall_app"]

REJECTIONS = [
    (400, ""),
    (400, {"detail": "Invalid signature"}),
    (405, ""),
    (410, ""),
    (413, "too large"),
    (422, {"non_field_errors": ["Unprocessable."]}),
]


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    return Worker(runtime)


def switch(
    sandbox: RunningSandbox, status: int | str, body: Any = "", **more: Any
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    sandbox.recall_world.set_switches(
        {"webhook_answer": status, "webhook_body": text, **more}
    )


def paused(runtime: Runtime) -> list[OpenCircuit]:
    with runtime.database.reading() as session:
        query = select(OpenCircuit).where(col(OpenCircuit.is_holding))
        return list(session.exec(query).all())


def newest_test(runtime: Runtime) -> Check:
    with runtime.database.reading() as session:
        query = select(Check).where(col(Check.source) == Source.RECALL_PROBE)
        found = session.exec(query.order_by(col(Check.id).desc())).first()
    assert found is not None
    return found


def run_for(worker: Worker, clock: FakeClock, span: timedelta) -> None:
    for _ in range(20):
        clock.advance(seconds=span.total_seconds() / 20)
        worker.run_once(clock.now())


@pytest.mark.parametrize(("status", "body"), REJECTIONS)
def test_while_recall_rejects_our_own_test_too_all_waits_and_is_delivered_afterwards(  # noqa: PLR0917 - fixtures
    runtime: Runtime,
    worker: Worker,
    sandbox: RunningSandbox,
    clock: FakeClock,
    app_id: UUID,
    status: int,
    body: Any,
) -> None:
    switch(sandbox, status, body)
    rows = [arrive(runtime, app_id, b'{"n":%d,"payload":{}}' % n) for n in range(3)]

    worker.run_once(clock.now())
    run_for(worker, clock, timedelta(days=3))
    [circuit] = paused(runtime)
    meanwhile = {find(runtime, each).outcome for each in rows}
    switch(sandbox, "ok")
    run_for(worker, clock, timedelta(minutes=2))

    assert meanwhile == {Outcome.WAITING}
    assert "n admin" in circuit.reason
    assert {find(runtime, each).outcome for each in rows} == {Outcome.DELIVERED}
    assert paused(runtime) == []


@pytest.mark.parametrize("status", [400, 422])
def test_a_secret_that_differs_is_named_as_a_possible_mismatch_whatever_recall_answers(  # noqa: PLR0917 - fixtures
    runtime: Runtime,
    worker: Worker,
    sandbox: RunningSandbox,
    clock: FakeClock,
    recall_app: App,
    app_id: UUID,
    status: int,
) -> None:
    sandbox.recall_world.set_switches({"bad_signature": status})
    recall_app.webhook_secret = "test-secret-token-0002"
    webhook_id = arrive(runtime, app_id)

    worker.run_once(clock.now())
    [circuit] = paused(runtime)
    seen = newest_test(runtime)
    with runtime.database.reading() as session:
        found = evidence.evidence(session, app_id, now=LATER)
        status_now = evidence.recall_status(found, clock.now())
    recall_app.webhook_secret = SECRET_TOKEN.get_secret_value()
    run_for(worker, clock, timedelta(minutes=2))

    assert "Recall may have a different secret token" in circuit.reason
    assert "Update in Recall" in circuit.reason
    assert seen.finding is Finding.SECRET_MISMATCH
    assert status_now.word == "Possible secret mismatch"
    assert find(runtime, webhook_id).outcome is Outcome.DELIVERED


@pytest.mark.parametrize(("status", "body"), REJECTIONS)
def test_what_recall_rejects_alone_twice_over_an_hour_has_failed_and_delays_nothing(  # noqa: PLR0917 - fixtures
    runtime: Runtime,
    worker: Worker,
    sandbox: RunningSandbox,
    clock: FakeClock,
    app_id: UUID,
    status: int,
    body: Any,
) -> None:
    switch(sandbox, status, body, webhook_answer_to="events")
    alone = arrive(runtime, app_id)
    worker.run_once(clock.now())
    switch(sandbox, "ok")
    others = [arrive(runtime, app_id, b'{"n":%d,"payload":{}}' % n) for n in range(3)]
    worker.run_once(clock.now())
    delivered = {find(runtime, each).outcome for each in others}
    switch(sandbox, status, body, webhook_answer_to="events")
    clock.advance(seconds=3599)
    worker.run_once(clock.now())
    before = find(runtime, alone)
    clock.advance(seconds=2)
    worker.run_once(clock.now())

    assert delivered == {Outcome.DELIVERED}
    assert paused(runtime) == []
    assert before.outcome is Outcome.WAITING
    failed = find(runtime, alone)
    assert failed.outcome is Outcome.DEAD
    assert f"({status}), but passed our signed test" in failed.outcome_reason
    assert len(attempts(runtime, alone)) == 2


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", "<!DOCTYPE html><h1>Welcome, please log in</h1>"),
        ("", "<!DOCTYPE html><h1>Welcome, please log in</h1>"),
        ("application/xhtml+xml", "<?xml version='1.0'?><html/>"),
        ("text/html", "You are about to visit a tunnel."),
    ],
)
def test_a_page_in_recalls_place_is_not_delivered_until_recall_answers(  # noqa: PLR0917 - fixtures
    runtime: Runtime,
    worker: Worker,
    sandbox: RunningSandbox,
    clock: FakeClock,
    app_id: UUID,
    kind: str,
    body: str,
) -> None:
    switch(sandbox, 200, body, webhook_body_type=kind)
    webhook_id = arrive(runtime, app_id)
    worker.run_once(clock.now())
    run_for(worker, clock, timedelta(days=3))
    meanwhile = find(runtime, webhook_id)
    switch(sandbox, "ok")
    run_for(worker, clock, timedelta(hours=3))

    assert meanwhile.outcome is Outcome.WAITING
    assert meanwhile.delivered_at is None
    assert "A web page answered instead of Recall (200)" in meanwhile.outcome_reason
    assert find(runtime, webhook_id).outcome is Outcome.DELIVERED


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", ""),
        ("text/html", "ok"),
        ("application/json", '{"error":"not processed"}'),
        ("", ""),
    ],
)
def test_a_success_of_any_other_form_is_delivered(  # noqa: PLR0917 - fixtures
    runtime: Runtime,
    worker: Worker,
    sandbox: RunningSandbox,
    clock: FakeClock,
    app_id: UUID,
    kind: str,
    body: str,
) -> None:
    switch(sandbox, 200, body, webhook_body_type=kind)
    webhook_id = arrive(runtime, app_id)

    worker.run_once(clock.now())

    assert find(runtime, webhook_id).outcome is Outcome.DELIVERED
    assert find(runtime, webhook_id).outcome_reason == "Recall accepted it (200)."


def test_what_was_rejected_is_tested_again_once_it_is_delivered(
    runtime: Runtime,
    worker: Worker,
    clock: FakeClock,
    recall_app: App,
    app_id: UUID,
) -> None:
    run_due(runtime)
    recall_app.webhook_secret = "test-secret-token-0002"
    arrive(runtime, app_id)
    worker.run_once(clock.now())
    rejected = newest_test(runtime)
    recall_app.webhook_secret = SECRET_TOKEN.get_secret_value()
    run_for(worker, clock, timedelta(minutes=2))

    run_due(runtime)

    assert rejected.finding is Finding.SECRET_MISMATCH
    assert newest_test(runtime).finding is Finding.GOOD


def test_refusals_at_once_share_a_test(
    runtime: Runtime,
    worker: Worker,
    sandbox: RunningSandbox,
    clock: FakeClock,
    app_id: UUID,
) -> None:
    switch(sandbox, 413, webhook_answer_to="events")
    for n in range(40):
        arrive(runtime, app_id, b'{"n":%d,"payload":{}}' % n)

    worker.run_once(clock.now())

    with sandbox.recall_world.lock:
        tests = sum(
            b"url_validation" in each.body for each in sandbox.recall_world.received
        )
    assert 1 <= tests < 20
