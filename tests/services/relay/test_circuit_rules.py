"""The rule of holds, answer by answer."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from dashboard.clients.delivery import Answer, Failure
from dashboard.models.circuit import CircuitKind
from dashboard.services.relay.circuit import STRIKES, CircuitState, next_state
from dashboard.services.relay.sending import Delivery, Result, conclude
from tests.makers import NOON

WORKSPACE, APP = UUID(int=1), UUID(int=2)
PAGE = {"content-type": "text/html"}
_OF_WORKSPACE, _OF_APP = CircuitKind.WORKSPACE, CircuitKind.ZOOM_APP
_NO_ANSWERS = [each for each in Failure if each is not Failure.SEALED]
FINE, STRUCK, STILL, NOTHING = "fine", "struck", "stands still", "as before"


def a_result(answer: Answer, *, at: datetime = NOON, **over: Any) -> Result:
    values: dict[str, Any] = {
        "webhook_id": 1,
        "claim": 1,
        "worker": "test:1",
        "attempts": 0,
        "event": "meeting.created",
        "verdict": "current",
        "received_at": NOON,
        "zoom_app_id": APP,
        "recall_app_id": UUID(int=3),
        "workspace_id": WORKSPACE,
        "region": "us-east-1",
        "headers": b"",
        "body": b"",
    }
    delivery = Delivery(**(values | over))
    return conclude(delivery, answer, sent=b"{}", started_at=at, secrets=[])


def workspace(
    state: CircuitState | None, answer: Answer, *, now: datetime = NOON, **over: Any
) -> CircuitState | None:
    result = a_result(answer, **over)
    return next_state(state, result, kind=CircuitKind.WORKSPACE, now=now)


def app(
    state: CircuitState | None, answer: Answer, *, now: datetime = NOON, **over: Any
) -> CircuitState | None:
    return next_state(
        state, a_result(answer, **over), kind=CircuitKind.ZOOM_APP, now=now
    )


def still(kind: CircuitKind, **over: Any) -> CircuitState:
    its_id = WORKSPACE if kind is CircuitKind.WORKSPACE else APP
    state = CircuitState(
        id=its_id, kind=kind, failures=9, is_holding=True, since=NOON, probe_at=NOON
    )
    return replace(state, **over)


def said(before: CircuitState, stands: CircuitState | None) -> str:
    if stands is None:
        return FINE
    if stands == before:
        return NOTHING
    return STILL if stands.is_holding else STRUCK


@pytest.mark.parametrize(
    ("answer", "of_workspace", "of_app"),
    [
        (Answer(status=200), FINE, FINE),
        (Answer(status=204), FINE, FINE),
        (Answer(status=401), FINE, STILL),
        (Answer(status=403), FINE, STILL),
        (Answer(status=404), FINE, STILL),
        (Answer(status=402), STILL, NOTHING),
        (Answer(status=307), STILL, NOTHING),
        (Answer(status=429), STILL, NOTHING),
        (Answer(status=403, headers=PAGE), STRUCK, NOTHING),
        (Answer(status=408), STRUCK, NOTHING),
        (Answer(status=500), STRUCK, NOTHING),
        (Answer(status=503), STRUCK, NOTHING),
        *(
            (Answer(failure=each), STRUCK, NOTHING)
            for each in Failure
            if each != "sealed"
        ),
        (Answer(failure=Failure.SEALED), NOTHING, NOTHING),
        (Answer(status=409), FINE, NOTHING),
        (Answer(status=400), FINE, NOTHING),
        (Answer(status=413), FINE, NOTHING),
        (Answer(status=422), FINE, NOTHING),
    ],
    ids=str,
)
def test_what_an_answer_says_of_workspace_and_zoom_app(
    answer: Answer, of_workspace: str, of_app: str
) -> None:
    strikes = still(CircuitKind.WORKSPACE, failures=1, is_holding=False)
    refusals = still(CircuitKind.ZOOM_APP, failures=1, is_holding=False)

    assert said(strikes, workspace(strikes, answer)) == of_workspace
    assert said(refusals, app(refusals, answer)) == of_app


def test_a_workspace_stands_still_after_five_webhooks_in_a_row() -> None:
    state: CircuitState | None = None
    seen = []
    for number in range(STRIKES):
        state = workspace(state, Answer(status=500), webhook_id=number)
        seen.append(state is not None and state.is_holding)

    assert seen == [False] * 4 + [True]
    assert state is not None
    assert state.probe_at == NOON + timedelta(seconds=1)
    assert state.reason == "Recall could not accept it (500)."


def test_one_webhook_that_always_fails_counts_once() -> None:
    first = workspace(None, Answer(status=500))

    assert workspace(first, Answer(status=500), attempts=1) == first
    assert workspace(None, Answer(status=500), attempts=1) is None


@pytest.mark.parametrize(
    ("kind", "probes", "wait_s"),
    [
        *zip(
            [CircuitKind.WORKSPACE] * 8,
            range(8),
            [1, 2, 5, 10, 20, 30, 30, 30],
            strict=True,
        ),
        *zip(
            [CircuitKind.ZOOM_APP] * 6,
            range(1, 7),
            [5, 15, 30, 60, 60, 60],
            strict=True,
        ),
    ],
)
def test_probes_come_at_longer_and_longer_intervals(
    kind: CircuitKind, probes: int, wait_s: int
) -> None:
    before = still(kind, probes=probes)
    answer = Answer(status=500 if kind is CircuitKind.WORKSPACE else 401)
    result = a_result(answer, probes=frozenset({before.id}))

    stands = next_state(before, result, kind=kind, now=NOON)

    assert stands is not None
    assert stands.probe_at == NOON + timedelta(seconds=wait_s)


def test_the_first_probe_of_a_refused_zoom_app_follows_at_once() -> None:
    stands = app(None, Answer(status=401))

    assert stands is not None
    assert stands.is_holding
    assert stands.probe_at == NOON


def test_what_was_under_way_before_does_not_move_the_probe() -> None:
    before = still(CircuitKind.WORKSPACE, probe_at=NOON + timedelta(seconds=7))

    stands = workspace(before, Answer(failure=Failure.TIMEOUT))

    assert stands is not None
    assert stands.probe_at == before.probe_at


@pytest.mark.parametrize(("asked", "waited_s"), [("120", 120), ("9000", 600)])
def test_recall_is_probed_when_it_asked_to_be_but_for_ten_minutes_at_most(
    asked: str, waited_s: int
) -> None:
    stands = workspace(None, Answer(status=429, headers={"retry-after": asked}))

    assert stands is not None
    assert stands.probe_at == NOON + timedelta(seconds=waited_s)


def test_what_recall_took_before_it_asked_to_stop_does_not_set_it_going() -> None:
    stands = workspace(None, Answer(status=429), now=NOON)
    early = workspace(stands, Answer(status=200), at=NOON - timedelta(seconds=1))

    assert early == stands
    assert workspace(stands, Answer(status=200), at=NOON) is None


def test_a_probe_that_says_nothing_is_followed_by_another() -> None:
    before = still(CircuitKind.ZOOM_APP, probes=2, reason="Refused.")

    stands = app(before, Answer(status=500), probes=frozenset({APP}))

    assert stands == replace(before, probe_at=NOON + timedelta(seconds=15))
