"""The queue of messages: claimed once, tried for a day, each lane on its own."""

import threading
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, delete, select

from dashboard.db import Database
from dashboard.errors import SendError
from dashboard.models.alert import (
    AlertChannel,
    AlertMessage,
    ChannelKind,
    MessageOutcome,
    Occasion,
)
from dashboard.models.ids import new_id
from dashboard.services.outbox import queue
from dashboard.services.outbox.sender import Sender
from tests.makers import NOON, FakeClock


@pytest.fixture
def lanes(database: Database) -> list[UUID]:
    return two_lanes(database)


def two_lanes(database: Database) -> list[UUID]:
    """Make two channels; in the second are three messages that came first."""
    first, second = uuid4(), uuid4()
    with database.writing() as session:
        for channel_id in (first, second):
            session.add(
                AlertChannel(
                    id=channel_id,
                    kind=ChannelKind.EMAIL,
                    name="Ops",
                    url=b"",
                    shown="",
                    created_at=NOON,
                    created_by="",
                )
            )
        session.flush()
        for number, channel_id in enumerate([second, second, second, first]):
            session.add(
                AlertMessage(
                    id=new_id(NOON),
                    channel_id=channel_id,
                    occasion=Occasion.DIGEST,
                    number=number,
                    created_at=NOON,
                    due_at=NOON + timedelta(seconds=number),
                )
            )
    return [first, second]


LATER = NOON + timedelta(minutes=1)


def claim(database: Database, **over: Any) -> list[AlertMessage]:
    given: dict[str, Any] = {"running": Counter(), "width": 1, "limit": 10, **over}
    given.setdefault("now", LATER)
    with database.writing() as session:
        return list(queue.claim(session, AlertMessage, lane="channel_id", **given))


def rows(database: Database) -> list[AlertMessage]:
    with database.reading() as session:
        return list(session.exec(select(AlertMessage).order_by(col(AlertMessage.id))))


def test_one_of_each_lane_is_claimed(database: Database, lanes: list[UUID]) -> None:
    found = claim(database)

    assert {each.channel_id for each in found} == set(lanes)
    assert len(found) == 2


def test_a_lane_that_is_busy_does_not_hide_the_others(
    database: Database, lanes: list[UUID]
) -> None:
    found = claim(database, running=Counter({lanes[1]: 1}))

    assert [each.channel_id for each in found] == [lanes[0]]


@pytest.mark.usefixtures("lanes")
def test_what_is_claimed_is_no_one_elses(database: Database) -> None:
    first = claim(database, width=9)

    assert len(first) == 4
    assert claim(database, width=9) == []


@pytest.mark.usefixtures("lanes")
def test_a_claim_ends_when_its_worker_died(database: Database) -> None:
    first = claim(database, width=9)

    again = claim(database, width=9, now=LATER + queue.LEASE)

    assert [each.id for each in again] == [each.id for each in first]
    assert [each.claim for each in again] == [2, 2, 2, 2]


@pytest.mark.usefixtures("lanes")
def test_who_comes_late_writes_nothing(database: Database) -> None:
    [late] = claim(database, limit=1)
    claim(database, limit=1, now=LATER + queue.LEASE)

    with database.writing() as session:
        assert queue.store(session, late, None, now=LATER) is None
    assert rows(database)[0].outcome is MessageOutcome.WAITING


@pytest.mark.usefixtures("lanes")
def test_it_is_tried_for_a_day(database: Database) -> None:
    now, attempts = LATER, 0
    with database.writing() as session:
        session.exec(delete(AlertMessage).where(col(AlertMessage.number) > 0))
    while rows(database)[0].outcome is MessageOutcome.WAITING:
        tried_at = now
        found = claim(database, limit=1, now=now)
        attempts += 1
        with database.writing() as session:
            queue.store(session, found[0], SendError("No."), now=now)
        now = rows(database)[0].due_at

    assert rows(database)[0].outcome is MessageOutcome.DEAD
    assert rows(database)[0].trouble == "No."
    assert attempts == 23
    assert tried_at - LATER > timedelta(hours=24)


@pytest.mark.usefixtures("lanes")
def test_a_final_refusal_is_not_tried_again(database: Database) -> None:
    [row] = claim(database, limit=1)

    with database.writing() as session:
        queue.store(session, row, SendError("Unknown.", is_final=True), now=LATER)

    assert rows(database)[0].outcome is MessageOutcome.DEAD


def test_a_lane_that_hangs_delays_no_other(sqlite: Database, clock: FakeClock) -> None:
    lanes = two_lanes(sqlite)
    clock.set(LATER)
    hangs, sent = threading.Event(), []
    is_sent = threading.Event()

    def send(row: AlertMessage) -> None:
        if row.channel_id == lanes[1]:
            hangs.wait(30)
            return
        with sqlite.writing() as session:
            queue.store(session, row, None, now=LATER)
        sent.append(row.channel_id)
        is_sent.set()

    any_clock: Any = clock
    sender = Sender(sqlite, any_clock, model=AlertMessage, send=send, lane="channel_id")
    try:
        assert sender() == 2
        assert is_sent.wait(30)
        assert sent == [lanes[0]]
        assert sender() == 0  # the other messages of the lane wait for it
    finally:
        hangs.set()
        sender.close()
