"""PostgreSQL wakes a worker of another process at once."""

from dashboard.db import CHANNEL, Database, announce

_LONG_S = 10


def test_a_commit_that_made_something_due_is_noticed(postgresql: Database) -> None:
    notices = postgresql.notices(CHANNEL, timeout_s=0.01)
    before = next(notices)
    with postgresql.writing() as session:
        announce(session.connection())

    came = any(next(notices) for _ in range(_LONG_S * 100))
    notices.close()

    assert (before, came) == (False, True)


def test_what_was_rolled_back_is_not(postgresql: Database) -> None:
    notices = postgresql.notices(CHANNEL, timeout_s=0.01)
    next(notices)

    with postgresql.writing() as session:
        announce(session.connection())
        session.rollback()

    came = any(next(notices) for _ in range(20))
    notices.close()

    assert not came


def test_on_sqlite_there_is_nobody_to_tell(sqlite: Database) -> None:
    with sqlite.writing() as session:
        announce(session.connection())

    assert list(sqlite.notices(CHANNEL, timeout_s=0.01)) == []
