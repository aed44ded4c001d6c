"""The subscription by API: made once, read back, compared, mended."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from dashboard.clients.zoom.subscriptions import Subscriber
from dashboard.db import Database
from dashboard.errors import ConflictError
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Kind, Routing
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom.records import Delivery
from dashboard.services.marketplace import subscription_jobs
from dashboard.services.marketplace.subscriptions import State
from dashboard.services.runtime import Runtime
from tests.fixtures.relay import until
from tests.fixtures.subscriptions import (
    PATH,
    SubscriptionStage,
    a_subscription_stage,
)
from tests.makers import a_connection, a_zoom_app

EVENTS = ["meeting.created", "user.updated"]


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> Iterator[SubscriptionStage]:
    with a_subscription_stage(runtime, sandbox) as made:
        yield made


def test_one_is_made_read_back_and_found_to_match(stage: SubscriptionStage) -> None:
    ana = stage.connect()

    seen = stage.create()

    (made,) = stage.made()
    app = stage.app()
    assert (seen.state, seen.reason) == (
        State.MATCHES,
        "Zoom sends both events to this webhook URL.",
    )
    assert (made.url, made.events, made.user_ids) == (stage.url, EVENTS, [ana.id])
    assert (app.subscription_id, app.subscription_state) == (made.id, "matches")
    assert app.subscription_checked_at is not None
    assert [row.found == row.wanted for row in seen.rows] == [True] * 3
    assert stage.told() == ["subscription.created"]


def test_an_event_then_arrives(stage: SubscriptionStage) -> None:
    ana = stage.connect()
    stage.create()

    meeting = stage.sandbox.zoom_world.create_meeting(ana.id)

    answered = [
        delivery.attempts[0].status
        for delivery in until_delivered(stage, "meeting.created")
    ]
    assert answered == [200]
    assert meeting.host_id == ana.id


def until_delivered(stage: SubscriptionStage, event: str) -> list[Delivery]:
    state = stage.sandbox.zoom_world.state

    def sent() -> list[Delivery]:
        return [d for d in state.deliveries if d.event == event and d.attempts]

    until(lambda: bool(sent()))
    return sent()


def test_an_account_level_one_is_for_the_account(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    with a_subscription_stage(runtime, sandbox, kind=Kind.ACCOUNT_LEVEL) as stage:
        ana = stage.connect()

        seen = stage.create()

        (made,) = stage.made()
        assert seen.state is State.MATCHES
        assert (made.scope, made.account_ids) == ("account", [ana.account_id])


def test_more_users_than_zoom_takes_at_once_all_join(stage: SubscriptionStage) -> None:
    users = {stage.connect(f"user{n}@example.com").id for n in range(12)}

    seen = stage.create()

    (made,) = stage.made()
    assert seen.state is State.MATCHES
    assert set(made.user_ids) == users


def test_pressing_again_makes_no_second_one(stage: SubscriptionStage) -> None:
    stage.connect()
    stage.create()

    again = stage.create()

    assert again.state is State.MATCHES
    assert len(stage.made()) == 1


def test_a_double_click_makes_one(stage: SubscriptionStage) -> None:
    stage.connect()
    stage.sandbox.zoom_faults.set(
        [Fault(kind=FaultKind.SLOW, path=PATH, seconds=0.3, times=1)]
    )
    refused: list[str] = []

    def press() -> None:
        try:
            stage.create()
        except ConflictError as error:
            refused.append(str(error))

    presses = [threading.Thread(target=press) for _ in range(2)]
    for one in presses:
        one.start()
    for one in presses:
        one.join()

    assert len(stage.made()) == 1
    assert len(refused) == 1
    assert "already" in refused[0]


def test_one_that_was_left_asking_may_be_asked_again(
    stage: SubscriptionStage,
) -> None:
    stage.connect()
    subscription_jobs.begin(stage.runtime, stage.app_id)
    with pytest.raises(ConflictError):
        stage.read()

    stage.runtime.clock.advance(minutes=3)  # type: ignore[attr-defined]  # a FakeClock

    assert stage.create().state is State.MATCHES


@pytest.mark.parametrize("kind", [FaultKind.LOST_ANSWER, FaultKind.HALF_ANSWER])
def test_a_lost_answer_is_settled_by_looking(
    stage: SubscriptionStage, kind: FaultKind
) -> None:
    stage.connect()
    stage.sandbox.zoom_faults.set([Fault(kind=kind, path=PATH, method="POST", times=1)])

    seen = stage.create()

    (made,) = stage.made()
    assert seen.state is State.MATCHES
    assert stage.app().subscription_id == made.id


def test_one_made_with_a_lost_answer_and_lost_look_is_found_the_next_time(
    stage: SubscriptionStage,
) -> None:
    stage.connect()
    stage.sandbox.zoom_faults.set(
        [
            Fault(kind=FaultKind.SLOW, path=PATH, method="GET", times=1, seconds=0),
            Fault(kind=FaultKind.DOWN, path=PATH, method="GET"),
            Fault(kind=FaultKind.LOST_ANSWER, path=PATH, method="POST", times=1),
        ]
    )
    lost = stage.create()
    stage.sandbox.zoom_faults.set([])

    seen = stage.create()

    assert lost.state is State.UNREACHABLE
    assert seen.state is State.MATCHES
    assert len(stage.made()) == 1


def test_the_consoles_own_with_our_url_is_not_doubled(
    stage: SubscriptionStage,
) -> None:
    stage.connect()
    verdict = stage.sandbox.zoom_world.validate(stage.at_zoom.client_id, stage.url)

    seen = stage.create()

    assert verdict.valid
    assert stage.made() == []
    assert seen.state is State.MATCHES
    assert "made in Zoom's console" in seen.reason
    assert stage.app().subscription_id is None


def test_another_one_with_the_same_events_is_said(stage: SubscriptionStage) -> None:
    stage.connect()
    stage.create()
    (made,) = stage.made()
    other = made.model_copy(
        update={"id": "other", "url": "https://other.example.com/hook"}
    )
    stage.sandbox.zoom_world.state.subscriptions.append(other)

    seen = stage.read()

    assert seen.state is State.MATCHES
    assert "https://other.example.com/hook" in seen.overlaps[0]
    assert "twice" in seen.overlaps[0]


def test_nobody_connected_is_said_and_zoom_is_not_asked(
    stage: SubscriptionStage,
) -> None:
    stage.sandbox.zoom_faults.set([Fault(kind=FaultKind.DOWN)])

    with pytest.raises(ConflictError, match="connect your own account first"):
        stage.create()

    assert stage.app().subscription_state == ""


def test_direct_routing_waits_for_recalls_url(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    with a_subscription_stage(runtime, sandbox, routing=Routing.DIRECT) as stage:
        stage.connect()

        with pytest.raises(ConflictError, match="Create in Recall first"):
            stage.create()


def test_too_many_users_are_sent_to_the_console(stage: SubscriptionStage) -> None:
    stage.connect()
    app = stage.app()
    with stage.runtime.database.writing() as session:
        session.add_all(a_connection(app) for _ in range(subscription_jobs.MOST_USERS))

    with pytest.raises(ConflictError, match="Zoom's console"):
        stage.create()


def test_a_token_proves_the_pair_and_a_refusal_disproves_it(
    stage: SubscriptionStage,
) -> None:
    stage.connect()
    stage.read()
    proved = stage.app()
    stage.sandbox.zoom_world.change_app(stage.at_zoom.client_id, client_secret="new")

    seen = stage.read()

    disproved = stage.app()
    assert (proved.verdict, disproved.verdict) == (Verdict.RIGHT, Verdict.WRONG)
    assert proved.checked_at is not None
    assert seen.state is State.NOT_ALLOWED
    assert "credentials first" in seen.reason
    assert "Development" in disproved.verdict_reason


def test_who_can_subscribe_is_found_and_one_alone_may_ask(
    database: Database, runtime: Runtime
) -> None:
    if not database.is_sqlite:  # of an SQLite file the services' own may write
        runtime = replace(runtime, database=database)
    app = a_zoom_app(runtime.vault)
    with runtime.database.writing() as session:
        session.add(app)
        session.flush()
        session.add(a_connection(app, zoom_user_id="u1", zoom_account_id="a1"))
        session.add(a_connection(app, zoom_user_id=None, zoom_account_id="a1"))
        session.add(a_connection(app, zoom_user_id="u2", zoom_account_id=None))

    job = subscription_jobs.begin(runtime, app.id)
    with pytest.raises(ConflictError, match="already"):
        subscription_jobs.begin(runtime, app.id)

    assert job.subscribers == [Subscriber(account_id="a1", user_id="u1")]
