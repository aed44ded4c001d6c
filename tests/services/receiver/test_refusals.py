import time
from datetime import timedelta
from uuid import uuid4

from sqlmodel import col, func, select

from dashboard.db import Database
from dashboard.models.check import Check, Finding, Source
from dashboard.models.webhook import (
    Refusal,
    RefusalCount,
)
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.receiver.keyring import AppCredentials
from dashboard.services.receiver.refusals import Tally
from dashboard.services.receiver.signatures import Cause
from dashboard.services.receiver.writer import WebhookWriter
from tests.fixtures.receiver import (
    CHALLENGE,
    limits,
    received,
    refused,
    writer,
    zoom_app,
)
from tests.makers import NOON

__all__ = ["limits", "writer", "zoom_app"]


def test_a_flood_of_refusals_is_counted_whole_and_kept_in_part(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database
) -> None:
    for _ in range(1000):
        writer.refuse(refused(zoom_app.id))
    writer.flush()
    for _ in range(20):
        writer.refuse(refused(zoom_app.id, cause=Cause.FUTURE))
        writer.flush()
    accepted = writer.accept(received(zoom_app))

    with database.reading() as session:
        counts = dict(
            session.exec(
                select(
                    RefusalCount.cause, func.sum(col(RefusalCount.requests))
                ).group_by(col(RefusalCount.cause))
            ).all()
        )
        kept = session.exec(select(Refusal).order_by(col(Refusal.id))).all()
    assert counts == {"signature": 1000, "future": 20}
    assert len(kept) == 12
    assert {each.cause for each in kept} == {"future"}
    assert kept[0].user_agent == "curl?/8"
    assert not accepted.is_repeat


def test_of_a_batch_only_a_few_of_each_cause_are_held_in_memory() -> None:
    tally = Tally()
    app_id = uuid4()

    kept = [
        tally.add(refused(app_id, cause=cause))
        for cause in (Cause.SIGNATURE, Cause.FUTURE)
        for _ in range(1000)
    ]

    assert sum(kept) == 10
    gathered = tally.take()
    assert gathered is not None
    assert [len(each) for each in gathered.samples.values()] == [5, 5]
    assert sum(gathered.counts.values()) == 2000


def test_a_challenge_signed_with_another_secret_is_evidence_of_a_mismatch(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database
) -> None:
    for _ in range(30):
        writer.refuse(refused(zoom_app.id, is_challenge=True))
        writer.flush()

    with database.reading() as session:
        check = session.exec(select(Check)).one()
    assert check.finding is Finding.SECRET_MISMATCH
    assert check.source is Source.ZOOM_CHALLENGE


def test_after_a_right_challenge_the_next_wrong_one_is_news(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database
) -> None:
    writer.refuse(refused(zoom_app.id, is_challenge=True))
    writer.flush()
    writer.accept(received(zoom_app, CHALLENGE))
    writer.flush()
    writer.refuse(refused(zoom_app.id, is_challenge=True))
    writer.flush()

    with database.reading() as session:
        found = session.exec(select(Check.finding)).all()
    assert found.count(Finding.SECRET_MISMATCH) == 2


def test_explanations_have_a_budget_for_each_second(writer: WebhookWriter) -> None:
    given = [writer.tally.may_explain(NOON) for _ in range(100)]

    assert sum(given) == 20
    assert writer.tally.may_explain(NOON + timedelta(seconds=1))


def test_a_replaced_secret_is_seen_when_asked_for_anew(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database
) -> None:
    with database.writing() as session:
        row = session.get_one(ZoomApp, zoom_app.id)
        row.version = 2
        session.add(row)
    time.sleep(0.06)  # longer than what counts as just looked up

    assert writer.keyring.find(zoom_app.id) == zoom_app
    newer = writer.keyring.find_newer(zoom_app.id)
    assert newer is not None
    assert newer.version == 2
