"""A preview counts what the resend will send, and says what it leaves out and why."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from dashboard.errors import InvalidInputError
from dashboard.models.resend import RedeliveryOutcome
from dashboard.models.webhook import Outcome
from dashboard.services.resends.collecting import Preview, preview
from dashboard.services.webhook_log.search import WebhookFilter, from_query, to_query
from tests.fixtures.resends import ANY, DEAD, Stage, stage
from tests.makers import NOON

__all__ = ["stage"]

WHOLE = WebhookFilter(
    zoom_app_id=UUID("01234567-89ab-cdef-0123-456789abcdef"),
    event="meeting.created & more = Übung",
    outcome=Outcome.DEAD,
    meeting_id=91234567890,
    zoom_user_id="zUsEr/+ 1",
    zoom_account_id="AbCd/+ 1",
    connection_id=UUID("01234567-89ab-cdef-0123-456789abcdee"),
    since=NOON - timedelta(days=1),
    until=NOON,
)


def look(stage: Stage, filters: WebhookFilter = DEAD, **over: Any) -> Preview:
    with stage.database.reading() as session:
        return preview(session, filters=filters, now=stage.clock.now(), **over)


def test_it_counts_what_matches_by_outcome(stage: Stage) -> None:
    stage.add(3)
    stage.add(2, outcome=Outcome.DELIVERED)
    stage.add(4, event="meeting.updated")

    found = look(stage, WebhookFilter(event="meeting.created"))

    assert (found.dead, found.delivered, found.total) == (3, 2, 5)
    assert (found.left_out, found.is_capped) == (0, False)


def test_what_waits_already_or_was_only_kept_is_left_out(stage: Stage) -> None:
    stage.add(3)
    stage.add(2, outcome=Outcome.WAITING)
    stage.add(1, outcome=Outcome.KEPT)

    found = look(stage, ANY)

    assert (found.total, found.waiting, found.kept) == (3, 2, 1)


def test_what_another_resend_is_about_to_send_is_left_out(stage: Stage) -> None:
    stage.add(3)
    resend_id = stage.begin()
    stage.run_due()
    first = stage.owed(resend_id)[0].id
    stage.end([first], RedeliveryOutcome.DEAD)

    found = look(stage)

    assert (found.total, found.under_way) == (1, 2)


def test_dead_ones_that_an_earlier_resend_brought_to_recall_are_left_out(
    stage: Stage,
) -> None:
    stage.add(2)
    stage.add(1, delivered_at=NOON)

    dead, everything = look(stage), look(stage, ANY)

    assert (dead.total, dead.taken) == (2, 1)
    assert (everything.total, everything.taken) == (3, 0)


def test_it_says_how_old_zooms_own_timestamps_are(stage: Stage) -> None:
    stage.add(1, received_at=NOON - timedelta(hours=26))
    stage.add(1, received_at=NOON - timedelta(minutes=37))
    stage.add(1, outcome=Outcome.WAITING, received_at=NOON - timedelta(days=9))

    found = look(stage, ANY)

    assert found.ages(NOON) == (timedelta(minutes=37), timedelta(hours=26))
    assert look(stage, WebhookFilter(event="none")).ages(NOON) is None


def test_what_arrives_after_it_is_no_part_of_it(stage: Stage) -> None:
    stage.add(1, received_at=NOON - timedelta(milliseconds=1))
    stage.add(1, received_at=NOON)

    assert look(stage).total == 1


def test_beyond_its_bound_it_says_so_instead_of_counting_on(stage: Stage) -> None:
    stage.add(5)

    assert not look(stage, cap=5).is_capped
    assert look(stage, cap=4).is_capped


@pytest.mark.parametrize("name", [each.name for each in fields(WebhookFilter)])
def test_each_field_of_the_filter_is_kept_in_the_query(name: str) -> None:
    one = replace(WebhookFilter(), **{name: getattr(WHOLE, name)})

    assert getattr(one, name) is not None
    assert from_query(to_query(one)) == one


def test_a_filter_is_kept_whole_and_an_empty_one_too() -> None:
    assert from_query(to_query(WHOLE)) == WHOLE
    assert from_query(to_query(ANY)) == ANY


@pytest.mark.parametrize(
    "query", ["colour=red", "outcome=lost", "meeting=x", "nonsense"]
)
def test_a_query_that_is_not_understood_is_refused_never_widened(query: str) -> None:
    with pytest.raises(ValueError):
        from_query(query)


def test_a_filter_too_long_to_be_kept_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="too long"):
        to_query(WebhookFilter(event="x" * 1000))
