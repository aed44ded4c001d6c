"""Counting tries right, also when many come at the same instant."""

from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from dashboard.db import Database
from dashboard.models.staff import Throttle
from dashboard.services import throttle
from tests.makers import NOON

WHO = "sign-in from 192.0.2.1"
_A_MOMENT_S = 0.3  # for the other thread to reach the row; nothing is asserted of it


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_an_ipv6_network_counts_as_one(address: str, network: str) -> None:
    assert throttle.network(address) == network


def count(database: Database) -> None:
    with database.writing() as session:
        throttle.count(session, WHO, now=NOON)


def is_spent(database: Database) -> bool:
    with database.writing() as session:
        return throttle.is_spent(session, WHO, limit=1, now=NOON)


def tries(database: Database) -> int:
    with database.reading() as session:
        return session.get_one(Throttle, throttle._key(WHO)).tries


def test_two_first_tries_at_once_are_both_counted(database: Database) -> None:
    with ThreadPoolExecutor(1) as others:
        with database.writing() as session:
            throttle.count(session, WHO, now=NOON)
            session.flush()
            other = others.submit(count, database)
            wait([other], _A_MOMENT_S)

        other.result()

    assert tries(database) == 2


def test_a_try_under_way_is_seen_by_the_next_one(database: Database) -> None:
    with ThreadPoolExecutor(1) as others:
        with database.writing() as session:
            assert not throttle.is_spent(session, WHO, limit=1, now=NOON)
            other = others.submit(is_spent, database)
            wait([other], _A_MOMENT_S)
            throttle.count(session, WHO, now=NOON)

        assert other.result()


def test_forgetting_begins_the_count_anew(database: Database) -> None:
    count(database)

    with database.writing() as session:
        throttle.forget(session, WHO)

    assert not is_spent(database)
