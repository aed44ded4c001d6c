"""A subscription that differs, is gone, or that Zoom does not let us have."""

from collections.abc import Callable, Iterator

import pytest

from dashboard.models.zoom_app import Kind
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.records import Subscription
from dashboard.services.marketplace.subscriptions import State
from dashboard.services.runtime import Runtime
from tests.fixtures.subscriptions import (
    PATH,
    SubscriptionStage,
    a_subscription_stage,
)

ELSEWHERE = "https://elsewhere.example.com/hook"


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> Iterator[SubscriptionStage]:
    with a_subscription_stage(runtime, sandbox) as made:
        made.connect()
        yield made


@pytest.fixture
def made(stage: SubscriptionStage) -> Subscription:
    """Give the one that Zoom has, made from here."""
    stage.create()
    (one,) = stage.made()
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
    "url": (another_url, f"Zoom posts to {ELSEWHERE}."),
    "event": (one_event, "Zoom does not send user.updated."),
    "more": (one_event_more, "It sends meeting.ended as well"),
    "users": (nobody_joined, "1 of the last 2 to connect has not joined it"),
}


@pytest.mark.parametrize("update", [True, False], ids=["updated", "made anew"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_elsewhere_is_said_and_mended(
    stage: SubscriptionStage, made: Subscription, change: str, *, update: bool
) -> None:
    stage.connect("ben@example.com")
    stage.fix()
    do, said = CHANGES[change]
    stage.sandbox.zoom_world.switch(updates_subscriptions=update)
    do(made)

    differs = stage.read()
    mended = stage.fix()

    (kept,) = stage.made()
    assert (differs.state, mended.state) == (State.DIFFERS, State.MATCHES)
    assert said in differs.reason
    assert sum(row.differs for row in differs.rows) == 1
    assert (kept.url, len(kept.user_ids)) == (stage.url, 2)
    assert sorted(kept.events) == ["meeting.created", "user.updated"]
    assert stage.app().subscription_id == kept.id
    assert stage.told()[-2:] == ["subscription.read", "subscription.mended"]


def test_one_made_anew_with_a_lost_answer_is_settled(
    stage: SubscriptionStage, made: Subscription
) -> None:
    stage.sandbox.zoom_world.switch(updates_subscriptions=False)
    one_event(made)
    stage.sandbox.zoom_faults.set(
        [Fault(kind=FaultKind.LOST_ANSWER, path=PATH, method="POST", times=1)]
    )

    mended = stage.fix()

    (kept,) = stage.made()
    assert mended.state is State.MATCHES
    assert kept.id != made.id


def test_two_with_our_url_are_said_and_one_is_deleted(
    stage: SubscriptionStage, made: Subscription
) -> None:
    twin = made.model_copy(update={"id": "twin"})
    stage.sandbox.zoom_world.state.subscriptions.insert(0, twin)

    differs, mended = stage.read(), stage.fix()

    assert "2 subscriptions post to this URL" in differs.reason
    assert mended.state is State.MATCHES
    assert stage.made() == [made]


def test_one_of_the_wrong_sort_is_made_anew(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    with a_subscription_stage(runtime, sandbox, kind=Kind.ACCOUNT_LEVEL) as stage:
        ana = stage.connect()
        stage.create()
        (wrong,) = stage.made()
        wrong.scope, wrong.user_ids = "user", [ana.id]

        differs, mended = stage.read(), stage.fix()

        (kept,) = stage.made()
        assert "a subscription for the users who connected" in differs.reason
        assert (mended.state, kept.scope) == (State.MATCHES, "account")


def test_one_that_was_deleted_is_gone_and_made_again(
    stage: SubscriptionStage, made: Subscription
) -> None:
    stage.sandbox.zoom_world.state.subscriptions.clear()

    gone = stage.read()
    again = stage.create()

    (kept,) = stage.made()
    assert gone.state is State.GONE
    assert again.state is State.MATCHES
    assert stage.app().subscription_id == kept.id != made.id


def test_one_that_nobody_joined_is_joined_and_not_doubled(
    stage: SubscriptionStage, made: Subscription
) -> None:
    made.user_ids = []

    seen = stage.create()

    assert seen.state is State.MATCHES
    assert len(stage.made()) == 1


def test_without_one_there_is_nothing_to_mend(stage: SubscriptionStage) -> None:
    seen = stage.fix()

    assert (seen.state, stage.made()) == (State.NONE, [])
    assert "no event subscription with this webhook URL" in seen.reason


def test_the_consoles_own_is_compared_and_left_alone(stage: SubscriptionStage) -> None:
    world = stage.sandbox.zoom_world
    world.change_app(stage.at_zoom.client_id, events=["meeting.created"])
    world.validate(stage.at_zoom.client_id, stage.url)

    seen = stage.fix()

    assert seen.state is State.DIFFERS
    assert "changed only there" in seen.reason
    assert stage.at_zoom.events == ["meeting.created"]


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
        (no_event_scope, "its scope is missing. Add the scopes of step 1"),
        (not_authorised, "has not authorised the app"),
    ],
)
def test_what_zoom_does_not_allow_is_said(
    stage: SubscriptionStage, break_it: Callable[[ZoomWorld, str], None], said: str
) -> None:
    break_it(stage.sandbox.zoom_world, stage.at_zoom.client_id)

    seen = stage.create()

    app = stage.app()
    assert (seen.state, stage.made()) == (State.NOT_ALLOWED, [])
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
    stage: SubscriptionStage, fault: FaultKind, said: str
) -> None:
    stage.sandbox.zoom_faults.set([Fault(kind=fault, path=PATH, method="POST")])

    seen = stage.create()

    assert seen.state is State.UNREACHABLE
    assert said in seen.reason


def test_a_url_that_fails_the_challenge_leaves_the_state_as_it_was(
    stage: SubscriptionStage,
) -> None:
    stage.sandbox.zoom_world.switch(validation_signing="wrong_secret")

    seen = stage.create()

    assert (seen.state, stage.made()) == (State.NONE, [])
    assert "did not get the right answer" in seen.reason


def test_no_token_or_secret_is_in_what_is_kept(stage: SubscriptionStage) -> None:
    stage.sandbox.zoom_world.change_app(stage.at_zoom.client_id, own_scopes=[])

    seen = stage.create()

    secrets = [
        "test-client-secret-0001",
        *(
            token
            for grant in stage.sandbox.zoom_world.state.grants
            for token in grant.access
        ),
    ]
    assert secrets
    assert not [one for one in secrets if one in f"{seen} {stage.app()}"]
