"""A resend begins once, is part of no other, and ends as its webhooks end."""

from datetime import timedelta

import pytest

from dashboard.errors import ConflictError, NotFoundError
from dashboard.models.ids import new_id
from dashboard.models.resend import Redelivery, RedeliveryOutcome, Resend, ResendState
from dashboard.models.webhook import Outcome
from dashboard.services.paging import Place
from dashboard.services.resends import resends
from dashboard.services.webhook_log.log import resends_of
from tests.fixtures.resends import ANA, ANY, Stage, stage
from tests.makers import NOON

__all__ = ["stage"]


def one(stage: Stage, webhook_id: int, resend_id: int | None = None) -> bool:
    with stage.database.writing() as session:
        return resends.add_one(
            session,
            webhook_id,
            resend_id=resend_id or new_id(NOON),
            asked_by=ANA,
            now=NOON,
        )


def cancel(stage: Stage, resend_id: int) -> None:
    with stage.database.writing() as session:
        resends.mark_cancelled(session, resend_id, now=stage.clock.now())


def test_a_form_that_is_sent_twice_begins_one_resend(stage: Stage) -> None:
    stage.add(2)
    resend_id = new_id(NOON)

    stage.begin(resend_id=resend_id, expected=2)
    stage.run_due()
    stage.begin(resend_id=resend_id, expected=7)
    stage.run_due()

    found = stage.progress(resend_id)
    assert (found.resend.expected, found.waiting) == (2, 2)


@pytest.mark.parametrize("minutes", [-5, 61], ids=["made up", "too old"])
def test_an_id_that_no_preview_gave_lately_begins_nothing(
    stage: Stage, minutes: int
) -> None:
    resend_id = new_id(NOON - timedelta(minutes=minutes))

    with pytest.raises(ConflictError, match="too old"):
        stage.begin(resend_id=resend_id)

    with stage.database.reading() as session:
        assert resends.find(session, resend_id) is None


def test_one_webhook_is_owed_once_more_and_stays_as_it_was(stage: Stage) -> None:
    [webhook_id] = stage.add(1, outcome_reason="Refused with 400.")
    before = stage.webhook(webhook_id)

    assert one(stage, webhook_id)

    with stage.database.reading() as session:
        [resent] = resends_of(session, webhook_id)
    resend, redelivery = resent.resend, resent.redelivery
    assert stage.webhook(webhook_id) == before
    assert (resend.state, resend.expected, resend.query) == (ResendState.SENDING, 1, "")
    assert redelivery.outcome is RedeliveryOutcome.WAITING
    assert (redelivery.due_at, redelivery.zoom_app_id) == (NOON, stage.app.id)


def test_one_webhook_sent_by_two_clicks_is_sent_once(stage: Stage) -> None:
    [webhook_id], resend_id = stage.add(1), new_id(NOON)

    assert one(stage, webhook_id, resend_id)
    assert not one(stage, webhook_id, resend_id)

    assert stage.webhooks_of(resend_id) == [webhook_id]


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [(Outcome.WAITING, "already queued"), (Outcome.KEPT, "not forwarded")],
)
def test_what_is_not_over_or_was_never_forwarded_is_refused(
    stage: Stage, outcome: Outcome, sentence: str
) -> None:
    [webhook_id] = stage.add(1, outcome=outcome)

    with pytest.raises(ConflictError, match=sentence):
        one(stage, webhook_id)


def test_what_another_resend_is_about_to_send_is_refused(stage: Stage) -> None:
    [webhook_id] = stage.add(1)
    one(stage, webhook_id)

    with pytest.raises(ConflictError, match="already queued"):
        one(stage, webhook_id)


def test_an_unknown_webhook_is_not_found(stage: Stage) -> None:
    with pytest.raises(NotFoundError):
        one(stage, 42)


def test_a_refused_resend_leaves_nothing_behind(stage: Stage) -> None:
    with pytest.raises(NotFoundError):
        one(stage, 42, resend_id := new_id(NOON))

    with stage.database.reading() as session:
        assert resends.find(session, resend_id) is None


def test_progress_counts_by_outcome(stage: Stage) -> None:
    stage.add(10)
    resend_id = stage.begin(expected=10)
    stage.run_due()
    ids = [each.id for each in stage.owed(resend_id)]
    stage.end(ids[:4], RedeliveryOutcome.DELIVERED)
    stage.end(ids[4:6], RedeliveryOutcome.DEAD)
    stage.clock.advance(seconds=3)

    found = stage.progress(resend_id)

    assert (found.delivered, found.dead, found.waiting, found.cancelled) == (4, 2, 4, 0)
    assert (found.sent, found.unlisted, found.a_second(stage.clock.now())) == (6, 0, 2)


def test_what_is_not_listed_yet_is_told_apart(stage: Stage) -> None:
    stage.add(5)
    resend_id = stage.begin(expected=5)
    stage.gather_once(2)

    found = stage.progress(resend_id)

    assert (found.waiting, found.unlisted) == (2, 3)


@pytest.mark.parametrize("state", [ResendState.DONE, ResendState.CANCELLED])
def test_what_has_ended_cannot_be_cancelled(stage: Stage, state: ResendState) -> None:
    resend_id = stage.begin()
    stage.change(Resend, resend_id, state=state, ended_at=NOON)

    with pytest.raises(ConflictError, match=f"is already {state.value}"):
        cancel(stage, resend_id)
    with pytest.raises(NotFoundError):
        cancel(stage, 42)


def test_the_history_is_read_newest_first_by_key(stage: Stage) -> None:
    made = []
    for _ in range(5):
        stage.clock.advance(seconds=1)
        made.append(stage.begin(ANY))

    with stage.database.reading() as session:
        first = resends.page(session, place=Place(limit=2))
        second = resends.page(session, place=Place(limit=2, before=first.older_before))

    listed = [row.resend.id for page in (first, second) for row in page.rows]
    assert listed == made[:0:-1]


def test_the_dead_are_listed_newest_first_with_their_webhooks(stage: Stage) -> None:
    stage.add(3)
    resend_id = stage.begin()
    stage.run_due()
    owed = stage.owed(resend_id)
    stage.end(
        [each.id for each in owed[:2]],
        RedeliveryOutcome.DEAD,
        outcome_reason="Recall refused it.",
    )

    with stage.database.reading() as session:
        page = resends.dead(session, resend_id, place=Place(limit=1))
        older = resends.dead(
            session, resend_id, place=Place(before=page.found.older_before)
        )

    rows: list[Redelivery] = [*page.found.rows, *older.found.rows]
    assert [row.webhook_id for row in rows] == [
        owed[1].webhook_id,
        owed[0].webhook_id,
    ]
    assert page.webhooks[owed[1].webhook_id].event == "meeting.created"
    assert rows[0].outcome_reason == "Recall refused it."


def test_a_webhooks_resends_are_listed_oldest_first(stage: Stage) -> None:
    [webhook_id] = stage.add(1)
    one(stage, webhook_id, first := new_id(NOON))
    stage.end([stage.owed(first)[0].id], RedeliveryOutcome.DEAD)
    one(stage, webhook_id, second := new_id(NOON))

    with stage.database.reading() as session:
        found = resends_of(session, webhook_id)

    assert [each.resend.id for each in found] == [first, second]
