"""What Zoom's own log says: who answered is named only where the answer shows it."""

from datetime import timedelta
from typing import Any

import pytest

from dashboard.models.delivery_log import FailedDelivery
from dashboard.services.facts import zoom_log
from dashboard.services.facts.acting import Fact, Problem
from dashboard.services.receiver.requests import PHRASES
from tests.fixtures.explain_facts import APP
from tests.makers import NOON, a_webhook


def a_try(**over: Any) -> FailedDelivery:
    values: dict[str, Any] = {
        "id": 1,
        "zoom_app_id": APP.id,
        "key": b"k",
        "dedupe": b"d",
        "event": "meeting.created",
        "host": "dash.example.com",
        "status": 502,
        "sent_at": NOON - timedelta(minutes=10),
    }
    return FailedDelivery(**(values | over))


def standing(**over: Any) -> Fact:
    return zoom_log.standing(a_try(**over), None, now=NOON)


@pytest.mark.parametrize(
    ("over", "problem", "words"),
    [
        ({}, Problem.ANSWERED_IN_FRONT, "dash.example.com answered 502."),
        (
            {"status": 401, "answered_by": "page"},
            Problem.ANSWERED_IN_FRONT,
            "dash.example.com answered 401 with a web page.",
        ),
        (
            {"status": None, "answered_by": "page"},
            Problem.ANSWERED_IN_FRONT,
            "dash.example.com answered with a web page.",
        ),
        ({"status": 301}, Problem.ANSWERED_IN_FRONT, "dash.example.com answered 301."),
        (
            {"status": 503, "answered_by": "dashboard"},
            Problem.ANSWERED_HERE,
            "the dashboard answered 503.",
        ),
        ({"status": 503}, Problem.ANSWERED_HERE, "dash.example.com answered 503."),
        (
            {"status": None, "code": 1},
            Problem.ZOOM_GOT_NO_ANSWER,
            "dash.example.com gave no answer within 3 s.",
        ),
        (
            {"status": None, "code": 13},
            Problem.ZOOM_GOT_NO_ANSWER,
            "dash.example.com could not be looked up in DNS.",
        ),
        (
            {"status": None, "code": 77},
            Problem.ZOOM_GOT_NO_ANSWER,
            "Zoom's number for the reason is 77.",
        ),
        (
            {"status": None, "code": None},
            Problem.ZOOM_GOT_NO_ANSWER,
            "Zoom's log doesn't say why.",
        ),
        (
            {"status": 401, "is_to_recall": True},
            Problem.ZOOM_GOT_RECALLS,
            "Recall answered 401.",
        ),
        (
            {"event": "endpoint.url_validation"},
            Problem.ANSWERED_IN_FRONT,
            "Zoom sent a validation request at 2026-11-23 11:50 UTC, and",
        ),
    ],
)
def test_each_answer_has_its_sentence_and_who_acts(
    over: dict[str, Any], problem: Problem, words: str
) -> None:
    fact = standing(**over)

    assert fact.problem is problem
    assert words in fact.sentence
    assert fact.next_step


def test_an_answer_that_we_may_have_given_is_not_laid_on_a_proxy() -> None:
    for status in PHRASES:
        assert "something before it did" not in standing(status=status).reason


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"status": 301}, "Zoom doesn't send it again."),
        ({"status": 404}, "Zoom doesn't send it again."),
        ({"status": 500}, "Zoom tries again, for 85 minutes."),
        ({"status": None}, "Zoom tries again, for 85 minutes."),
        (
            {"status": 500, "sent_at": NOON - timedelta(hours=2)},
            "Zoom has stopped trying.",
        ),
    ],
)
def test_what_zoom_does_next_follows_from_the_answer(
    over: dict[str, Any], said: str
) -> None:
    assert standing(**over).reason.endswith(said)


def test_nothing_is_said_of_arrival_where_the_log_holds_no_body() -> None:
    assert "arrived" not in standing(dedupe=None).reason


def test_what_arrived_is_no_problem_any_more() -> None:
    arrived = a_webhook(APP, received_at=NOON)

    fact = zoom_log.standing(a_try(), arrived, now=NOON)

    assert (fact.problem, fact.tone) == (Problem.NONE, "off")
    assert fact.reason.endswith("It arrived at 2026-11-23 12:00 UTC.")
