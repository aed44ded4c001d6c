"""One webhook's story, in order and with Zoom's own delay."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from dashboard.formatting import age_words
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.ids import new_id
from dashboard.models.resend import Redelivery, RedeliveryOutcome, Resend
from dashboard.models.webhook import Arrival, Attempt, Outcome
from dashboard.services.webhook_log.log import Resent, Trace
from dashboard.services.webhook_log.story import steps
from dashboard.vault import Vault
from tests.makers import NOON, a_webhook, a_zoom_app

NOON_S = int(NOON.timestamp())


def a_trace(vault: Vault, **over: Any) -> Trace:
    app = a_zoom_app(vault)
    repeats, attempts = over.pop("repeats", ()), over.pop("attempts", ())
    resends, holds = over.pop("resends", ()), over.pop("open_circuits", ())
    webhook = a_webhook(app, **over)
    return Trace(
        webhook=webhook,
        app=app,
        attempts=attempts,
        repeats=repeats,
        connection=None,
        resends=resends,
        open_circuits=holds,
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
        "Event in Zoom",
        "Signed and sent by Zoom",
        "Received · signature valid (current secret token)",
        "Attempt 1: Recall answered 503 in 84 ms",
        "Sent again by Zoom, 5.0 s later",
        "Attempt 2: Recall answered 200 in 84 ms",
    ]
    assert told[1].detail == "Received 2.0 s after the event."
    assert [step.tone for step in told[3:]] == ["trouble", "off", "good"]


@pytest.mark.parametrize("event_ts", [None, -1, 10**18], ids=str)
def test_an_unusable_event_time_is_said_so(vault: Vault, event_ts: int | None) -> None:
    told = steps(a_trace(vault, event_ts=event_ts), now=NOON)

    assert told[0].detail == "The body contains no usable event time."


def test_no_answer_is_trouble(vault: Vault) -> None:
    trace = a_trace(vault, attempts=(an_attempt(1),))

    told = steps(trace, now=NOON)

    assert told[2].title == "Received · signature valid (current secret token)"
    assert (told[3].tone, told[3].title) == (
        "trouble",
        "Attempt 1: no response from Recall after 84 ms",
    )


@pytest.mark.parametrize(
    ("over", "title", "is_ahead"),
    [
        ({"due_at": NOON + timedelta(minutes=4)}, "Next attempt", True),
        (
            {"lease_until": NOON + timedelta(seconds=30)},
            "Sending to Recall now",
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


def a_resend(**over: Any) -> Resent:
    resend = Resend(id=7, asked_by="ana@example.com", asked_at=NOON)
    values: dict[str, Any] = {
        "id": 5,
        "resend_id": 7,
        "webhook_id": 1,
        "zoom_app_id": uuid4(),
        "due_at": NOON + timedelta(minutes=2),
    }
    return Resent(redelivery=Redelivery(**(values | over)), resend=resend)


def an_open_circuit(**over: Any) -> OpenCircuit:
    values: dict[str, Any] = {
        "id": uuid4(),
        "kind": CircuitKind.ZOOM_APP,
        "is_holding": True,
        "reason": "Recall has a different secret token.",
        "since": NOON - timedelta(hours=1),
        "probe_at": NOON + timedelta(minutes=3),
    }
    return OpenCircuit(**(values | over))


def test_a_resend_counts_its_own_attempts_and_names_who_asked(vault: Vault) -> None:
    trace = a_trace(
        vault,
        outcome=Outcome.DEAD,
        due_at=NOON + timedelta(seconds=2),
        attempts=(
            an_attempt(1, status=400, worker="web-1:77"),
            an_attempt(60, status=503, redelivery_id=5),
            an_attempt(90, redelivery_id=5, status=200),
            an_attempt(99, redelivery_id=6, status=200),
        ),
        resends=(a_resend(outcome=RedeliveryOutcome.DELIVERED),),
    )

    told = steps(trace, now=NOON + timedelta(hours=1))

    titles = [step.title for step in told]
    assert "Resend requested by ana@example.com" in titles
    assert [
        title.partition(":")[0] for title in titles if "Recall answered" in title
    ] == [
        "Attempt 1",
        "Resend by ana@example.com, attempt 1",
        "Resend by ana@example.com, attempt 2",
        "Resend, attempt 1",
    ]
    assert [step.worker for step in told if step.worker] == ["web-1:77"]
    assert (
        titles.index("Given up")
        == titles.index("Attempt 1: Recall answered 400 in 84 ms") + 1
    )


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        (RedeliveryOutcome.WAITING, "Next attempt of the resend by ana@example.com"),
        (RedeliveryOutcome.DEAD, "Resend by ana@example.com failed"),
        (RedeliveryOutcome.CANCELLED, "Resend by ana@example.com cancelled"),
        (RedeliveryOutcome.DELIVERED, "Given up"),
    ],
)
def test_the_end_of_a_resend_is_told_too(
    vault: Vault, outcome: RedeliveryOutcome, title: str
) -> None:
    resends = (a_resend(outcome=outcome, ended_at=NOON + timedelta(minutes=1)),)

    told = steps(a_trace(vault, outcome=Outcome.DEAD, resends=resends), now=NOON)

    assert told[-1].title == title


def test_a_paused_webhook_says_since_when_and_why(vault: Vault) -> None:
    told = steps(a_trace(vault, open_circuits=(an_open_circuit(),)), now=NOON)

    assert told[-1].title == "Paused since 2026-11-23 11:00:00 UTC; next test delivery"
    assert told[-1].detail.startswith(
        "Recall has a different secret token. It is sent automatically"
    )
    assert (told[-1].at, told[-1].is_ahead) == (NOON + timedelta(minutes=3), True)


def test_an_open_circuit_does_not_matter_for_what_is_delivered(vault: Vault) -> None:
    trace = a_trace(
        vault, outcome=Outcome.DELIVERED, open_circuits=(an_open_circuit(),)
    )

    assert not any("Paused" in step.title for step in steps(trace, now=NOON))


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


def test_giving_up_follows_its_last_attempt_whatever_the_clocks_say(
    vault: Vault,
) -> None:
    attempts = (an_attempt(0.2, status=422),)
    trace = a_trace(vault, outcome=Outcome.DEAD, due_at=NOON, attempts=attempts)

    told = steps(trace, now=NOON)

    assert [step.title for step in told[-2:]] == [
        "Attempt 1: Recall answered 422 in 84 ms",
        "Given up",
    ]
