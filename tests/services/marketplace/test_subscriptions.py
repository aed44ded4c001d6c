"""The subscription by API: made once, read back, compared, mended."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from dashboard.clients.zoom.subscriptions import Subscriber
from dashboard.db import Database
from dashboard.errors import ConflictError
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Kind, Routing, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.records import Delivery, Subscription
from dashboard.services.marketplace import subscriptions
from dashboard.services.marketplace.subscription_rules import State
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
    assert "right now" in refused[0]


def test_one_that_was_left_asking_may_be_asked_again(
    stage: SubscriptionStage,
) -> None:
    stage.connect()
    subscriptions.begin(stage.runtime, stage.app_id)
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
    assert "created in Zoom's console" in seen.reason
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
        session.add_all(a_connection(app) for _ in range(subscriptions.MOST_USERS))

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

    job = subscriptions.begin(runtime, app.id)
    with pytest.raises(ConflictError, match="right now"):
        subscriptions.begin(runtime, app.id)

    assert job.subscribers == [Subscriber(account_id="a1", user_id="u1")]


ELSEWHERE = "https://elsewhere.example.com/hook"


@pytest.fixture
def connected(runtime: Runtime, sandbox: RunningSandbox) -> Iterator[SubscriptionStage]:
    with a_subscription_stage(runtime, sandbox) as made:
        made.connect()
        yield made


@pytest.fixture
def made(connected: SubscriptionStage) -> Subscription:
    """Give the one that Zoom has, made from here."""
    connected.create()
    (one,) = connected.made()
    return one


def another_url(one: Subscription) -> None:
    one.url = ELSEWHERE


def one_event(one: Subscription) -> None:
    one.events = ["meeting.created"]


def one_event_more(one: Subscription) -> None:
    one.events = [*one.events, "meeting.ended"]


def nobody_joined(one: Subscription) -> None:
    one.user_ids = one.user_ids[:1]


CHANGES = {
    "url": (another_url, f"Zoom sends to {ELSEWHERE}."),
    "event": (one_event, "Zoom does not send user.updated."),
    "more": (one_event_more, "It also sends meeting.ended"),
    "users": (nobody_joined, "1 of the last 2 to connect has not joined it"),
}


@pytest.mark.parametrize("update", [True, False], ids=["updated", "made anew"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_elsewhere_is_said_and_mended(
    connected: SubscriptionStage, made: Subscription, change: str, *, update: bool
) -> None:
    connected.connect("ben@example.com")
    connected.fix()
    do, said = CHANGES[change]
    connected.sandbox.zoom_world.switch(updates_subscriptions=update)
    do(made)

    differs = connected.read()
    mended = connected.fix()

    (kept,) = connected.made()
    assert (differs.state, mended.state) == (State.DIFFERS, State.MATCHES)
    assert said in differs.reason
    assert sum(row.differs for row in differs.rows) == 1
    assert (kept.url, len(kept.user_ids)) == (connected.url, 2)
    assert sorted(kept.events) == ["meeting.created", "user.updated"]
    assert connected.app().subscription_id == kept.id
    assert connected.told()[-2:] == ["subscription.read", "subscription.mended"]


def test_one_made_anew_with_a_lost_answer_is_settled(
    connected: SubscriptionStage, made: Subscription
) -> None:
    connected.sandbox.zoom_world.switch(updates_subscriptions=False)
    one_event(made)
    connected.sandbox.zoom_faults.set(
        [Fault(kind=FaultKind.LOST_ANSWER, path=PATH, method="POST", times=1)]
    )

    mended = connected.fix()

    (kept,) = connected.made()
    assert mended.state is State.MATCHES
    assert kept.id != made.id


def test_two_with_our_url_are_said_and_one_is_deleted(
    connected: SubscriptionStage, made: Subscription
) -> None:
    twin = made.model_copy(update={"id": "twin"})
    connected.sandbox.zoom_world.state.subscriptions.insert(0, twin)

    differs, mended = connected.read(), connected.fix()

    assert "2 subscriptions send to this URL" in differs.reason
    assert mended.state is State.MATCHES
    assert connected.made() == [made]


def test_one_of_the_wrong_sort_is_made_anew(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    with a_subscription_stage(runtime, sandbox, kind=Kind.ACCOUNT_LEVEL) as connected:
        ana = connected.connect()
        connected.create()
        (wrong,) = connected.made()
        wrong.scope, wrong.user_ids = "user", [ana.id]

        differs, mended = connected.read(), connected.fix()

        (kept,) = connected.made()
        assert "It subscribes the users who connected" in differs.reason
        assert (mended.state, kept.scope) == (State.MATCHES, "account")


def test_one_that_was_deleted_is_gone_and_made_again(
    connected: SubscriptionStage, made: Subscription
) -> None:
    connected.sandbox.zoom_world.state.subscriptions.clear()

    gone = connected.read()
    again = connected.create()

    (kept,) = connected.made()
    assert gone.state is State.GONE
    assert again.state is State.MATCHES
    assert connected.app().subscription_id == kept.id != made.id


def test_one_that_nobody_joined_is_joined_and_not_doubled(
    connected: SubscriptionStage, made: Subscription
) -> None:
    made.user_ids = []

    seen = connected.create()

    assert seen.state is State.MATCHES
    assert len(connected.made()) == 1


def test_without_one_there_is_nothing_to_mend(connected: SubscriptionStage) -> None:
    seen = connected.fix()

    assert (seen.state, connected.made()) == (State.NONE, [])
    assert "no event subscription with this webhook URL" in seen.reason


def test_the_consoles_own_is_compared_and_left_alone(
    connected: SubscriptionStage,
) -> None:
    world = connected.sandbox.zoom_world
    world.change_app(connected.at_zoom.client_id, events=["meeting.created"])
    world.validate(connected.at_zoom.client_id, connected.url)

    seen = connected.fix()

    assert seen.state is State.DIFFERS
    assert "only be changed there" in seen.reason
    assert connected.at_zoom.events == ["meeting.created"]


def no_grant(world: ZoomWorld, _client_id: str) -> None:
    world.switch(client_credentials=False)


def no_scopes(world: ZoomWorld, client_id: str) -> None:
    world.change_app(client_id, own_scopes=[])


def no_event_scope(world: ZoomWorld, client_id: str) -> None:
    world.change_app(client_id, events=[], scopes=["user:read:user"])


def not_authorised(world: ZoomWorld, _client_id: str) -> None:
    for grant in world.state.grants:
        grant.ended = "revoked"


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (no_grant, "no token of its own (client_credentials)"),
        (no_scopes, "lacks the scope for event subscriptions"),
        (no_event_scope, "lacks its scope. Add the scopes listed in the set-up"),
        (not_authorised, "has not authorized the app"),
    ],
)
def test_what_zoom_does_not_allow_is_said(
    connected: SubscriptionStage, break_it: Callable[[ZoomWorld, str], None], said: str
) -> None:
    break_it(connected.sandbox.zoom_world, connected.at_zoom.client_id)

    seen = connected.create()

    app = connected.app()
    assert (seen.state, connected.made()) == (State.NOT_ALLOWED, [])
    assert said in seen.reason
    assert app.subscription_reason == seen.reason[:300]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (FaultKind.DOWN, "may still have been carried out"),
        (FaultKind.HTML_403, "a web page"),
        (FaultKind.RATE_LIMITED, "rate limit"),
        (FaultKind.RATE_LIMITED_BARE, "rate limit"),
        (FaultKind.UNAVAILABLE, "failed on its side"),
        (FaultKind.NONSENSE, "another shape"),
    ],
)
def test_a_zoom_that_cannot_be_asked_is_no_refusal(
    connected: SubscriptionStage, fault: FaultKind, said: str
) -> None:
    connected.sandbox.zoom_faults.set([Fault(kind=fault, path=PATH, method="POST")])

    seen = connected.create()

    assert seen.state is State.UNREACHABLE
    assert said in seen.reason


def test_a_url_that_fails_the_challenge_leaves_the_state_as_it_was(
    connected: SubscriptionStage,
) -> None:
    connected.sandbox.zoom_world.switch(validation_signing="wrong_secret")

    seen = connected.create()

    assert (seen.state, connected.made()) == (State.NONE, [])
    assert "was not answered correctly" in seen.reason


def test_no_token_or_secret_is_in_what_is_kept(connected: SubscriptionStage) -> None:
    connected.sandbox.zoom_world.change_app(connected.at_zoom.client_id, own_scopes=[])

    seen = connected.create()

    secrets = [
        "test-client-secret-0001",
        *(
            token
            for grant in connected.sandbox.zoom_world.state.grants
            for token in grant.access
        ),
    ]
    assert secrets
    assert not [one for one in secrets if one in f"{seen} {connected.app()}"]


@pytest.mark.parametrize("form", ["named", "list"])
def test_certificates_are_shown_and_do_no_harm(
    stage: SubscriptionStage, form: str
) -> None:
    stage.connect()
    know_app_id(stage)
    stage.at_zoom.event_certificates = ["one", "two"]
    stage.sandbox.zoom_world.switch(certificates=form)

    seen = stage.create()

    assert seen.state is State.MATCHES
    rows = {row.label: row for row in seen.rows}
    assert (rows["Certificates"].found, rows["Certificates"].told) == ("2", "")


@pytest.mark.parametrize("kind", [FaultKind.DOWN, FaultKind.PAGE, FaultKind.NONSENSE])
def test_certificates_that_zoom_does_not_show_change_nothing(
    stage: SubscriptionStage, kind: FaultKind
) -> None:
    stage.connect()
    know_app_id(stage)
    stage.sandbox.zoom_faults.set([Fault(kind=kind, path="/v2/marketplace/app/sim")])

    seen = stage.create()

    assert seen.state is State.MATCHES
    assert "Certificates" not in {row.label for row in seen.rows}


def test_an_api_without_certificates_is_fine(stage: SubscriptionStage) -> None:
    stage.connect()
    know_app_id(stage)
    stage.sandbox.zoom_world.switch(certificates="absent")

    assert stage.create().state is State.MATCHES


def know_app_id(stage: SubscriptionStage) -> None:
    with stage.runtime.database.writing() as session:
        app = session.get_one(ZoomApp, stage.app_id)
        app.marketplace_app_id = stage.at_zoom.app_id
        session.add(app)
