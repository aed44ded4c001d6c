"""Statements that differ between the two databases."""

from sqlmodel import col, select, update

from dashboard.db import Database
from dashboard.db.statements import insert, rows_changed
from dashboard.models.staff import Throttle
from tests.makers import NOON

ROW = {"key": "sign-in", "window_at": NOON, "tries": 1}


def test_a_conflict_updates_the_row_that_is_there(database: Database) -> None:
    for tries in (1, 5):
        with database.writing() as session:
            statement = insert(session, Throttle).values(ROW | {"tries": tries})
            session.exec(
                statement.on_conflict_do_update(
                    index_elements=["key"], set_={"tries": tries}
                )
            )

    with database.reading() as session:
        assert [row.tries for row in session.exec(select(Throttle))] == [5]


def test_a_conflict_can_leave_the_row_as_it_is(database: Database) -> None:
    added = []
    for tries in (1, 5):
        with database.writing() as session:
            statement = insert(session, Throttle).values(ROW | {"tries": tries})
            statement = statement.on_conflict_do_nothing().returning(Throttle.tries)
            added.append(session.exec(statement).all())

    assert [len(rows) for rows in added] == [1, 0]


def test_an_insert_is_made_for_a_connection_too(database: Database) -> None:
    with database.writing_fast() as connection:
        table = Throttle.metadata.tables["throttle"]
        connection.execute(insert(connection, table).values(ROW))

    with database.reading() as session:
        assert session.exec(select(Throttle)).one().key == "sign-in"


def test_rows_changed_counts_what_matched(database: Database) -> None:
    with database.writing() as session:
        session.add_all(Throttle(key=str(n), window_at=NOON) for n in range(3))
    statement = update(Throttle).where(col(Throttle.key) != "0").values(tries=9)

    with database.writing() as session:
        assert rows_changed(session.exec(statement)) == 2
