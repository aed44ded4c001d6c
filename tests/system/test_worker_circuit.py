"""The worker while Recall is down or refuses: it probes, and drains by itself."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlmodel import col, func, select

from dashboard.models.circuit import OpenCircuit
from dashboard.models.webhook import Attempt, Outcome, Webhook
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import App
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from dashboard.worker import Worker
from tests.fixtures.relay import (
    RECEIVER,
    app_id,
    arrive,
    at_recall,
    attempts,
    find,
    recall_app,
    until,
)
from tests.makers import SECRET_TOKEN, FakeClock, a_workspace, a_zoom_app

__all__ = ["app_id", "recall_app"]

OTHER = SecretStr("test-secret-token-0002")


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    return Worker(runtime)


def several(runtime: Runtime, app_id: UUID, number: int, **over: Any) -> list[int]:
    bodies = (b'{"n":"%s","payload":{}}' % uuid4().hex.encode() for _ in range(number))
    return [arrive(runtime, app_id, body, **over) for body in bodies]


def run_for(worker: Worker, clock: FakeClock, seconds: int) -> None:
    for _ in range(seconds):
        clock.advance(seconds=1)
        worker.run_once(clock.now())


def ask(runtime: Runtime, query: Any) -> Any:
    with runtime.database.reading() as session:
        return session.exec(query).one()


def outcomes(runtime: Runtime) -> set[Outcome]:
    with runtime.database.reading() as session:
        return {Outcome(each) for each in session.exec(select(Webhook.outcome))}


def in_another_workspace(runtime: Runtime, sandbox: RunningSandbox) -> UUID:
    with sandbox.recall_world.lock:
        [known] = sandbox.recall_world.apps.values()
    there = sandbox.recall_world.add_app(
        sandbox.recall_world.add_workspace(),
        kind=known.kind,
        client_id="simC000000000000000002",
        client_secret="test-client-secret-0002",
        webhook_secret=SECRET_TOKEN.get_secret_value(),
    )
    with runtime.database.writing() as session:
        workspace = a_workspace(runtime.vault, api_key_print="00000002")
        session.add(workspace)
        session.flush()
        app = a_zoom_app(
            runtime.vault, recall_app_id=UUID(there.id), workspace_id=workspace.id
        )
        session.add(app)
        return app.id


def test_a_zoom_app_that_recall_refuses_drains_once_the_secret_is_mended(  # noqa: PLR0917 - fixtures
    runtime: Runtime,
    worker: Worker,
    sandbox: RunningSandbox,
    clock: FakeClock,
    recall_app: App,
    app_id: UUID,
) -> None:
    recall_app.webhook_secret = OTHER.get_secret_value()
    first = several(runtime, app_id, 1)
    worker.run_once(clock.now())
    several(runtime, app_id, 20)

    run_for(worker, clock, 120)
    while_refused = sum(
        b"url_validation" not in each.body for each in at_recall(sandbox)
    )
    recall_app.webhook_secret = SECRET_TOKEN.get_secret_value()
    run_for(worker, clock, 61)

    assert while_refused <= 7  # at 0, 0, 5, 20, 50 and 110 seconds
    assert outcomes(runtime) == {Outcome.DELIVERED}
    assert ask(runtime, select(func.count(col(OpenCircuit.id)))) == 0
    [refused, *_] = attempts(runtime, first[0])
    assert refused.status == 401
    assert "secret token again" in refused.verdict


def test_one_webhook_signed_with_a_former_secret_leaves_the_others_alone(
    runtime: Runtime, worker: Worker, clock: FakeClock, app_id: UUID
) -> None:
    [poison] = several(runtime, app_id, 1, secret=OTHER)
    worker.run_once(clock.now())
    others = several(runtime, app_id, 5)

    worker.run_once(clock.now())

    assert {find(runtime, each).outcome for each in others} == {Outcome.DELIVERED}
    assert find(runtime, poison).outcome is Outcome.WAITING


@pytest.mark.parametrize(
    "kind", [FaultKind.DOWN, FaultKind.UNAVAILABLE, FaultKind.RATE_LIMITED]
)
def test_while_recall_is_down_it_is_probed_and_then_all_is_delivered(  # noqa: PLR0917 - fixtures
    runtime: Runtime,
    worker: Worker,
    sandbox: RunningSandbox,
    clock: FakeClock,
    app_id: UUID,
    kind: FaultKind,
) -> None:
    sandbox.recall_faults.set([Fault(kind=kind, path=RECEIVER)])
    several(runtime, app_id, 5)
    worker.run_once(clock.now())
    several(runtime, app_id, 20)

    run_for(worker, clock, 120)
    tries = ask(runtime, select(func.count(col(Attempt.id))))
    sandbox.recall_faults.set([])
    run_for(worker, clock, 31)

    assert tries <= 5 + 9  # at 1, 3, 8, 18, 38, 68 and 98 seconds
    assert outcomes(runtime) == {Outcome.DELIVERED}
    assert len(at_recall(sandbox)) == 25


def test_a_slow_region_delays_no_other(
    runtime: Runtime,
    worker: Worker,
    sandbox: RunningSandbox,
    recall_app: App,
    app_id: UUID,
) -> None:
    quick = in_another_workspace(runtime, sandbox)
    path = f"{RECEIVER}{recall_app.id}"
    slow = Fault(kind=FaultKind.SLOW, path=path, seconds=2)
    sandbox.recall_faults.set([slow])
    slow_ones = several(runtime, app_id, 30)
    worker.start()
    until(lambda: find(runtime, slow_ones[-1]).claim == 1)

    quick_ones = several(runtime, quick, 5)
    until(
        lambda: all(
            find(runtime, each).outcome is Outcome.DELIVERED for each in quick_ones
        )
    )
    still_slow = {find(runtime, each).outcome for each in slow_ones}
    worker.stop()

    assert {find(runtime, each).outcome for each in quick_ones} == {Outcome.DELIVERED}
    assert still_slow == {Outcome.WAITING}
    assert outcomes(runtime) == {Outcome.DELIVERED}


def test_an_attempt_tells_whose_it_was_and_what_was_sent(
    runtime: Runtime, worker: Worker, app_id: UUID
) -> None:
    webhook_id = arrive(runtime, app_id)

    worker.run_once(runtime.clock.now())

    [attempt] = attempts(runtime, webhook_id)
    webhook = find(runtime, webhook_id)
    assert (attempt.worker, attempt.claim) == (worker.name, webhook.claim)
    assert (attempt.sent_sha256, attempt.sent_bytes) == (
        webhook.body_sha256,
        webhook.body_bytes,
    )
    assert set(attempt.headers_passed.split()) == {
        "content-type",
        "x-zm-request-timestamp",
        "x-zm-signature",
        "x-zm-trackingid",
        "clientid",
    }


def test_a_webhook_refused_for_longer_than_it_is_kept_is_given_up(
    runtime: Runtime, worker: Worker, clock: FakeClock, recall_app: App, app_id: UUID
) -> None:
    recall_app.webhook_secret = OTHER.get_secret_value()
    [webhook_id] = several(runtime, app_id, 1)

    clock.advance(days=runtime.settings.webhook_retention_days)
    worker.run_once(clock.now() + timedelta(seconds=1))

    assert find(runtime, webhook_id).outcome is Outcome.DEAD
