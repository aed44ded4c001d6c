"""A resend lists its webhooks in small steps, in order, each once, or calls it off."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, insert

from dashboard.errors import InvalidInputError
from dashboard.models.resend import Redelivery, RedeliveryOutcome, Resend, ResendState
from dashboard.models.webhook import Mark, Outcome
from dashboard.services.resends import collecting, resends
from dashboard.services.resends.collecting import Preview, preview
from dashboard.services.webhook_log.search import WebhookFilter, from_query, to_query
from tests.fixtures.resends import ANY, DEAD, Stage, stage
from tests.makers import NOON

__all__ = ["stage"]

LATER = NOON + timedelta(seconds=30)


def cancelled(stage: Stage, resend_id: int) -> None:
    with stage.database.writing() as session:
        resends.mark_cancelled(session, resend_id, now=stage.clock.now())


def test_batches_list_each_webhook_once_oldest_first(stage: Stage) -> None:
    ids = stage.add(7)
    stage.add(2, outcome=Outcome.DELIVERED)
    resend_id = stage.begin(expected=7)

    stage.run_due(batch=3)

    found = stage.resend(resend_id)
    assert stage.webhooks_of(resend_id) == ids
    assert (found.state, found.total, found.gathered_below) == (
        ResendState.SENDING,
        7,
        None,
    )


def test_a_step_lists_no_more_than_a_batch(stage: Stage) -> None:
    ids = stage.add(5)
    resend_id = stage.begin()

    stage.gather_once(2)

    assert stage.webhooks_of(resend_id) == ids[:2]
    assert stage.resend(resend_id).state is ResendState.GATHERING


def test_the_webhooks_stay_as_they_were(stage: Stage) -> None:
    ids = stage.add(3, outcome_reason="Refused with 400.", attempts=4)
    before = [stage.webhook(each) for each in ids]

    stage.begin()
    stage.run_due()

    assert [stage.webhook(each) for each in ids] == before


def test_what_arrives_after_the_preview_is_no_part_of_it(stage: Stage) -> None:
    ids = stage.add(1)
    resend_id = stage.begin()
    stage.add(1, received_at=NOON + timedelta(milliseconds=1))
    stage.clock.advance(minutes=1)

    stage.run_due()

    assert stage.webhooks_of(resend_id) == ids


@pytest.mark.parametrize("filters", [DEAD, ANY], ids=["dead", "everything"])
def test_what_the_preview_counted_is_what_is_listed(
    stage: Stage, filters: WebhookFilter
) -> None:
    stage.add(3)
    stage.add(2, outcome=Outcome.DELIVERED)
    stage.add(2, outcome=Outcome.WAITING)
    stage.add(2, outcome=Outcome.KEPT)
    stage.add(2, delivered_at=NOON)
    with stage.database.reading() as session:
        counted = preview(session, filters=filters, now=NOON).total

    resend_id = stage.begin(filters)
    stage.run_due()

    assert stage.resend(resend_id).total == counted > 0


def test_two_resends_of_the_same_webhooks_send_each_once(stage: Stage) -> None:
    ids = stage.add(4)
    first, second = stage.begin(), stage.begin()

    stage.run_due(batch=3)

    assert (stage.webhooks_of(first), stage.webhooks_of(second)) == (ids, [])
    assert stage.resend(second).state is ResendState.DONE


def test_what_another_resend_took_meanwhile_is_left_out(stage: Stage) -> None:
    [webhook_id] = stage.add(1)
    seen, other = stage.begin(), stage.begin(ANY)
    with stage.database.reading() as session:
        resend = session.get_one(Resend, seen)
        ids = collecting.candidates(session, resend, limit=5)
    row = {"webhook_id": webhook_id, "zoom_app_id": stage.app.id, "due_at": NOON}
    with stage.database.writing() as session:
        session.connection().execute(
            insert(Redelivery), [{"id": 1, "resend_id": other, **row}]
        )

    with stage.database.writing() as session:
        added = collecting.collect(session, resend, ids, is_last=True, now=NOON)

    assert (list(ids), added) == ([webhook_id], 0)


def test_a_worker_that_comes_late_with_its_batch_adds_nothing(stage: Stage) -> None:
    stage.add(4)
    resend_id = stage.begin()
    with stage.database.reading() as session:
        seen = session.get_one(Resend, resend_id)
        ids = collecting.candidates(session, seen, limit=2)
    stage.gather_once(2)
    stage.end([each.id for each in stage.owed(resend_id)], RedeliveryOutcome.CANCELLED)

    with stage.database.writing() as session:
        added = collecting.collect(session, seen, ids, is_last=False, now=NOON)

    assert (added, stage.resend(resend_id).total) == (0, 2)


def test_a_cancelled_resend_lists_nothing_more(stage: Stage) -> None:
    stage.add(4)
    resend_id = stage.begin(expected=4)
    with stage.database.reading() as session:
        seen = session.get_one(Resend, resend_id)
        ids = collecting.candidates(session, seen, limit=2)
    cancelled(stage, resend_id)

    with stage.database.writing() as session:
        added = collecting.collect(session, seen, ids, is_last=False, now=NOON)
    stage.run_due()

    found = stage.progress(resend_id)
    assert (added, stage.owed(resend_id)) == (0, [])
    assert (found.resend.state, found.unsent) == (ResendState.CANCELLED, 4)


def test_it_is_done_when_nothing_waits_any_more(stage: Stage) -> None:
    stage.add(2)
    resend_id = stage.begin()
    stage.run_due()
    first, second = (each.id for each in stage.owed(resend_id))

    stage.end([first], RedeliveryOutcome.DELIVERED)
    stage.run_due()
    before = stage.resend(resend_id)
    stage.end([second], RedeliveryOutcome.DEAD)
    stage.clock.set(LATER)
    stage.run_due()
    after = stage.resend(resend_id)

    assert (before.state, before.ended_at) == (ResendState.SENDING, None)
    assert (after.state, after.ended_at) == (ResendState.DONE, LATER)


def test_cancelling_calls_off_what_waits_and_nothing_else(stage: Stage) -> None:
    stage.add(4)
    resend_id, other = stage.begin(), stage.begin(ANY)
    stage.run_due()
    sent, dead, flying, waiting = (each.id for each in stage.owed(resend_id))
    stage.end([sent], RedeliveryOutcome.DELIVERED)
    stage.end([dead], RedeliveryOutcome.DEAD)
    stage.change(Redelivery, flying, lease_until=LATER, claim=1)
    stage.add(1, received_at=NOON - timedelta(minutes=9), outcome=Outcome.DELIVERED)
    stage.run_due()

    cancelled(stage, resend_id)
    stage.run_due()

    outcomes = {each.id: each.outcome.value for each in stage.owed(resend_id)}
    assert outcomes == {
        sent: "delivered",
        dead: "dead",
        flying: "waiting",  # a worker is sending it: what comes of it is told
        waiting: "cancelled",
    }
    assert stage.resend(other).state is not ResendState.CANCELLED


def test_what_was_on_its_way_and_failed_is_called_off_after(stage: Stage) -> None:
    stage.add(1)
    resend_id = stage.begin()
    stage.run_due()
    [flying] = stage.owed(resend_id)
    stage.change(Redelivery, flying.id, lease_until=LATER, claim=1)
    cancelled(stage, resend_id)
    stage.run_due()
    assert stage.progress(resend_id).waiting == 1

    stage.change(Redelivery, flying.id, lease_until=None, attempts=1, due_at=LATER)
    stage.run_due()

    assert stage.progress(resend_id).cancelled == 1


def test_a_large_one_is_called_off_in_batches(stage: Stage) -> None:
    stage.add(5)
    resend_id = stage.begin()
    stage.run_due()
    cancelled(stage, resend_id)

    with stage.database.writing() as session:
        swept = collecting.cancel_waiting(session, now=NOON, limit=2)

    assert swept == 2
    assert stage.progress(resend_id).waiting == 3


def test_there_is_nothing_to_do_when_no_resend_is_open(stage: Stage) -> None:
    stage.add(3)

    assert stage.run_due() == 0


@pytest.mark.parametrize("filters", [DEAD, ANY], ids=["dead", "everything"])
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_search_goes_by_key_and_sorts_nothing(
    stage: Stage, filters: WebhookFilter
) -> None:
    # Sorting would read all that is left at each step, not one batch of it.
    resend_id, asked = stage.begin(filters), []
    with stage.database.reading() as session:
        resend = session.get_one(Resend, resend_id)
        event.listen(
            session.get_bind(),
            "before_cursor_execute",
            lambda _c, _k, statement, values, *_: asked.append((statement, values)),
        )
        collecting.candidates(session, resend, limit=9)
        statement, values = asked[0]
        plan = session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement}", values
        )
        steps = " ".join(row[3] for row in plan)

    assert "SEARCH webhook" in steps
    assert "TEMP B-TREE" not in steps


WHOLE = WebhookFilter(
    zoom_app_id=UUID("01234567-89ab-cdef-0123-456789abcdef"),
    event="meeting.created & more = Übung",
    outcome=Outcome.DEAD,
    mark=Mark.LATE,
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
