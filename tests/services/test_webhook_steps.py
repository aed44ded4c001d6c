"""One webhook's story, in order and with Zoom's own delay."""

from datetime import timedelta
from typing import Any

import pytest

from dashboard.models.ids import new_id
from dashboard.models.webhook import Arrival, Attempt, Outcome
from dashboard.services.spans import age_words
from dashboard.services.webhook_steps import steps
from dashboard.services.webhook_traces import Trace
from dashboard.vault import Vault
from tests.makers import NOON, a_webhook, a_zoom_app

NOON_S = int(NOON.timestamp())


def a_trace(vault: Vault, **over: Any) -> Trace:
    app = a_zoom_app(vault)
    repeats, attempts = over.pop("repeats", ()), over.pop("attempts", ())
    webhook = a_webhook(app, **over)
    return Trace(
        webhook=webhook,
        app=app,
        attempts=attempts,
        repeats=repeats,
        connection=None,
    )


def an_attempt(seconds: float, **over: Any) -> Attempt:
    values: dict[str, Any] = {
        "id": new_id(NOON),
        "webhook_id": 1,
        "started_at": NOON + timedelta(seconds=seconds),
        "latency_ms": 84.0,
        "sent_sha256": "0" * 64,
    }
    return Attempt(**(values | over))


def test_the_story_is_told_in_order_of_time(vault: Vault) -> None:
    trace = a_trace(
        vault,
        event_ts=(NOON_S - 2) * 1000,
        sent_at_s=NOON_S - 1,
        outcome=Outcome.DELIVERED,
        attempts=(
            an_attempt(1, status=503, verdict="Tried again in 2 s."),
            an_attempt(9, status=200),
        ),
        repeats=(
            Arrival(
                id=1,
                webhook_id=1,
                sent_at_s=NOON_S + 5,
                received_at=NOON + timedelta(seconds=5),
            ),
        ),
    )

    told = steps(trace, now=NOON + timedelta(hours=1))

    assert [step.title for step in told] == [
        "It happened in Zoom",
        "Zoom signed and sent it",
        "Arrived; the signature matches the current secret token",
        "Attempt 1: Recall answered 503 in 84 ms",
        "Zoom sent it again, 5.0 s later",
        "Attempt 2: Recall answered 200 in 84 ms",
    ]
    assert told[1].detail == "It reached us 2.0 s after the event."
    assert [step.tone for step in told[3:]] == ["trouble", "off", "good"]


@pytest.mark.parametrize("event_ts", [None, -1, 10**18], ids=str)
def test_an_unusable_event_time_is_said_so(vault: Vault, event_ts: int | None) -> None:
    told = steps(a_trace(vault, event_ts=event_ts), now=NOON)

    assert told[0].detail == "The body names no usable event time."


def test_no_answer_is_trouble(vault: Vault) -> None:
    trace = a_trace(vault, attempts=(an_attempt(1),))

    told = steps(trace, now=NOON)

    assert told[2].title == "Arrived; the signature matches the current secret token"
    assert (told[3].tone, told[3].title) == (
        "trouble",
        "Attempt 1: no answer from Recall after 84 ms",
    )


@pytest.mark.parametrize(
    ("over", "title", "is_ahead"),
    [
        ({"due_at": NOON + timedelta(minutes=4)}, "Next attempt", True),
        (
            {"lease_until": NOON + timedelta(seconds=30)},
            "Being sent to Recall now",
            False,
        ),
        ({"lease_until": NOON - timedelta(seconds=30)}, "Next attempt", True),
        ({"outcome": Outcome.DEAD}, "Given up", False),
        ({"outcome": Outcome.KEPT}, "Not forwarded", False),
    ],
    ids=["waiting", "under way", "lease over", "dead", "kept"],
)
def test_the_story_ends_with_what_is_to_come(
    vault: Vault, over: dict[str, object], title: str, *, is_ahead: bool
) -> None:
    told = steps(a_trace(vault, **over), now=NOON)

    assert (told[-1].title, told[-1].is_ahead) == (title, is_ahead)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(milliseconds=84), "84 ms"),
        (timedelta(seconds=1.25), "1.2 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=99), "99 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(days=30), "30 d"),
        (timedelta(days=300), "300 d"),
        (timedelta(seconds=-5), "0 ms"),
    ],
    ids=str,
)
def test_spans_are_written_for_people(span: timedelta, words: str) -> None:
    assert age_words(span) == words
