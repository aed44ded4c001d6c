"""One webhook's story, in order and with Zoom's own delay."""

import hmac
import json
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from dashboard.db import Database
from dashboard.formatting import age_words
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.ids import new_id
from dashboard.models.resend import Redelivery, RedeliveryOutcome, Resend
from dashboard.models.webhook import Arrival, Attempt, Outcome
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.webhook_log import log, story
from dashboard.services.webhook_log.log import Resent, Trace
from dashboard.services.webhook_log.story import IntegrityFinding, steps
from dashboard.vault import Vault
from tests.makers import NOON, SECRET_TOKEN, a_body, a_webhook, a_zoom_app

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


def test_a_web_page_with_status_200_is_no_good_answer(vault: Vault) -> None:
    verdict = "A web page answered instead of Recall (200): an admin checks it."
    trace = a_trace(vault, attempts=(an_attempt(1, status=200, verdict=verdict),))

    [step] = [each for each in steps(trace, now=NOON) if "Attempt" in each.title]

    assert step.title == "Attempt 1: a web page answered 200 in 84 ms"
    assert step.tone == "trouble"


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
        "Recall has a different secret token. It is sent once a test delivery"
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


BODY = b'{"event":"meeting.created",  "payload":{}}'
NAMES = ["content-type", "x-zm-signature", "x-forwarded-for", "user-agent"]
OTHER = SecretStr("another-secret-token")


def signed(body: bytes, secret: SecretStr, **more: str) -> bytes:
    timestamp = str(int(NOON.timestamp()))
    message = b"v0:" + timestamp.encode() + b":" + body
    digest = hmac.new(secret.get_secret_value().encode(), message, sha256).hexdigest()
    pairs = {
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": f"v0={digest}",
        **more,
    }
    return json.dumps(list(pairs.items())).encode()


def verified(
    database: Database, vault: Vault, app: ZoomApp, *, headers: bytes, **over: Any
) -> list[IntegrityFinding]:
    webhook = a_webhook(
        app,
        **{
            "body_bytes": len(BODY),
            "body_sha256": sha256(BODY).hexdigest(),
            **over,
        },
    )
    with database.writing() as session:
        for row in (app, webhook, a_body(vault, webhook, body=BODY, headers=headers)):
            session.add(row)
            session.flush()
    with database.reading() as session:
        trace = log.get(session, webhook.id)
        request = log.request(session, vault, webhook.id)
        return list(story.verify(session, vault, trace, request))


def sealed(vault: Vault, app: ZoomApp, secret: SecretStr) -> bytes:
    return vault.seal_text(
        secret, table="zoom_app", column="previous_secret_token", row=app.id
    )


def test_the_current_secret_is_found_again(database: Database, vault: Vault) -> None:
    found = verified(
        database, vault, a_zoom_app(vault), headers=signed(BODY, SECRET_TOKEN)
    )

    assert [each.tone for each in found] == ["good", "good"]
    assert f"{len(BODY)} bytes" in found[0].sentence
    assert "valid for the stored bytes (current secret token)" in found[1].sentence


def test_after_a_rotation_the_previous_secret_is_named(
    sqlite: Database, vault: Vault
) -> None:
    app = a_zoom_app(vault)
    app.previous_secret_token = sealed(vault, app, OTHER)

    found = verified(sqlite, vault, app, headers=signed(BODY, OTHER))

    assert (found[1].tone, "(previous secret token)" in found[1].sentence) == (
        "good",
        True,
    )


@pytest.mark.parametrize(
    ("app_over", "over", "tone", "words"),
    [
        (
            {"secret_token_set_at": NOON + timedelta(days=1)},
            {},
            "waiting",
            "replaced at 2026-11-24 12:00:00 UTC",
        ),
        (
            {"secret_token_set_at": NOON - timedelta(days=1)},
            {"verdict": "previous"},
            "waiting",
            "no longer stored",
        ),
        (
            {"secret_token_set_at": NOON - timedelta(days=1)},
            {},
            "trouble",
            "not the one that was received",
        ),
    ],
    ids=["replaced since", "previous one dropped", "never replaced"],
)
def test_no_secret_that_matches_is_explained(  # noqa: PLR0917 - a table
    sqlite: Database,
    vault: Vault,
    app_over: dict[str, Any],
    over: dict[str, Any],
    tone: str,
    words: str,
) -> None:
    app = a_zoom_app(vault, **app_over)

    found = verified(sqlite, vault, app, headers=signed(BODY, OTHER), **over)

    assert (found[1].tone, words in found[1].sentence) == (tone, True)


@pytest.mark.parametrize(
    "over", [{"body_sha256": "0" * 64}, {"body_bytes": 1}], ids=["checksum", "length"]
)
def test_stored_bytes_that_changed_are_trouble(
    sqlite: Database, vault: Vault, over: dict[str, Any]
) -> None:
    app, headers = a_zoom_app(vault), signed(BODY, SECRET_TOKEN)

    found = verified(sqlite, vault, app, headers=headers, **over)

    assert (found[0].tone, "changed the database" in found[0].sentence) == (
        "trouble",
        True,
    )


def test_a_signature_that_is_not_stored_is_said_so(
    sqlite: Database, vault: Vault
) -> None:
    found = verified(sqlite, vault, a_zoom_app(vault), headers=b"[]")

    assert (found[1].tone, "contain no signature" in found[1].sentence) == (
        "trouble",
        True,
    )


@pytest.mark.parametrize(
    ("over", "is_equal", "words"),
    [
        ({}, True, "40 bytes, same SHA-256"),
        ({"sent_bytes": 0}, True, "length was not recorded"),
        ({"sent_bytes": 41}, False, "bug in the dashboard"),
        ({"sent_sha256": "1" * 64}, False, "bug in the dashboard"),
        ({"sent_sha256": "1" * 64, "sent_bytes": 0}, False, "bug in the dashboard"),
        ({"sent_sha256": "", "sent_bytes": 0}, None, "Nothing was sent"),
    ],
    ids=["equal", "older", "longer", "other", "older and other", "not sent"],
)
def test_each_attempt_is_held_against_what_came(
    vault: Vault, over: dict[str, Any], *, is_equal: bool | None, words: str
) -> None:
    (sent,) = story.sent(a_sent_trace(vault, **over), NAMES)

    assert (sent.is_equal, words in sent.sentence) == (is_equal, True)


def test_headers_are_told_apart_into_passed_and_dropped(vault: Vault) -> None:
    trace = a_sent_trace(vault, headers_passed="x-zm-signature content-type")

    (sent,) = story.sent(trace, [*NAMES, "user-agent"])

    assert list(sent.passed) == ["content-type", "x-zm-signature"]
    assert list(sent.dropped) == ["user-agent", "x-forwarded-for"]


def test_unknown_headers_are_not_called_dropped(vault: Vault) -> None:
    (sent,) = story.sent(a_sent_trace(vault), NAMES)

    assert (list(sent.passed), list(sent.dropped)) == ([], [])


def a_sent_trace(vault: Vault, **over: Any) -> Trace:
    app = a_zoom_app(vault)
    values: dict[str, Any] = {
        "id": new_id(NOON),
        "webhook_id": 1,
        "started_at": NOON,
        "latency_ms": 84.0,
        "sent_sha256": "0" * 64,
        "sent_bytes": 40,
    }
    return Trace(
        webhook=a_webhook(app, body_bytes=40),
        app=app,
        attempts=[Attempt(**(values | over))],
        repeats=(),
        connection=None,
    )
