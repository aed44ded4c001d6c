"""Floods: what strangers cause is listed once a minute each, and counted."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from dashboard.db import Database
from dashboard.models.audit import AuditEntry, AuditTally
from dashboard.services.audit import Actor, tallies
from tests.fixtures.audit import AUDIT_LOG
from tests.makers import NOON

ACT = "session.refused"


def stranger(address: str) -> Actor:
    return Actor(name="no one signed in", address=address)


def refuse(database: Database, address: str, subject: str = "") -> None:
    tallies.count(database, stranger(address), ACT, subject=subject, now=NOON)


def entries(database: Database) -> list[AuditEntry]:
    with database.reading() as session:
        return list(session.exec(AUDIT_LOG))


def test_the_first_is_listed_and_the_rest_of_the_minute_counted(
    database: Database, clock: Any
) -> None:
    for _ in range(14):
        refuse(database, "203.0.113.7", "ana@example.com")
    assert [entry.times for entry in entries(database)] == [1]
    assert tallies.record_counted(database, clock) == 0, "the minute is not over"

    clock.set(NOON + timedelta(minutes=2))
    tallies.record_counted(database, clock)
    found = entries(database)
    assert [entry.times for entry in found] == [1, 13]
    assert {entry.subject for entry in found} == {"ana@example.com"}
    with database.reading() as session:
        assert session.exec(select(AuditTally)).all() == []


def test_one_alone_is_one_entry(database: Database, clock: Any) -> None:
    refuse(database, "203.0.113.7")
    clock.set(NOON + timedelta(minutes=2))
    tallies.record_counted(database, clock)

    assert [entry.times for entry in entries(database)] == [1]


def test_addresses_of_one_ipv6_network_are_one(database: Database) -> None:
    for last in range(5):
        refuse(database, f"2001:db8::{last}")

    assert [entry.address for entry in entries(database)] == ["2001:db8::/64"]


def test_many_addresses_are_listed_as_one(
    database: Database, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallies, "MOST_LISTED", 3)
    for number in range(9):
        refuse(database, f"203.0.113.{number}")
    clock.set(NOON + timedelta(minutes=2))
    tallies.record_counted(database, clock)

    found = entries(database)
    assert [entry.address for entry in found[3:]] == ["many addresses"] * 2
    assert sum(entry.times for entry in found) == 9


def test_a_process_writes_no_more_than_so_often_a_minute(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallies, "MOST_WRITTEN", 4)
    for _ in range(10):
        refuse(database, "203.0.113.7")
    with database.reading() as session:
        assert session.exec(select(AuditTally.times)).all() == [4]

    later = NOON + timedelta(minutes=1)
    tallies.count(database, stranger("203.0.113.7"), ACT, subject="", now=later)
    assert entries(database)[-1].times == 7
