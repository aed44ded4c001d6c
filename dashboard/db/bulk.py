"""Many rows in one statement, through the driver's own cursor.

For the one place where SQLAlchemy's care costs more than the work: webhooks arriving.
With `executemany` SQLite's driver gives the interpreter's lock away for each row and
queues for it behind every busy thread; here that happens once a statement. Each row is
made ready by who has it, so that the writer only writes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.exc import DBAPIError

# Lengths that a statement is made for: few enough for drivers to keep them prepared.
_LENGTHS = (256, 128, 64, 32, *range(16, 0, -1))

Row = list[object]
"""A value a column, in the order of `Bulk.columns`; may change until written."""

Cursor = Any
"""A cursor of sqlite3 or psycopg, as PEP 249 has it."""


@contextmanager
def cursor_of(connection: Connection) -> Iterator[Cursor]:
    """Give the driver's cursor within the connection's transaction.

    Raises:
        DBAPIError: What the driver raises, as SQLAlchemy would say it, without values.
    """
    dialect = connection.dialect
    driver = dialect.loaded_dbapi
    with closing(connection.connection.cursor()) as cursor:
        try:
            yield cursor
        except driver.Error as error:
            found = connection.connection
            raise DBAPIError.instance(
                None,
                None,
                error,
                driver.Error,
                hide_parameters=True,
                connection_invalidated=dialect.is_disconnect(error, found, cursor),
                dialect=dialect,
            ) from None


class Bulk:
    """Statements of one table, made once; thread-safe.

    Args:
        table: Columns that are not among `columns` get the database's default or NULL.
        columns: Names, in the order of the rows.
        dialect: Of the database that is written to.
        known_by: The unique column by which a row may be there already: `write` passes
            it over. Whatever else is in the way is an error.
    """

    def __init__(
        self,
        table: Table,
        columns: Sequence[str],
        dialect: Dialect,
        *,
        known_by: str | None = None,
    ) -> None:
        self.columns = tuple(columns)
        found = [table.c[name].type.dialect_impl(dialect) for name in columns]
        processors = [kind.bind_processor(dialect) for kind in found]
        self._converted = [
            (place, convert) for place, convert in enumerate(processors) if convert
        ]
        self._table = table.name
        self._mark = "?" if dialect.paramstyle == "qmark" else "%s"
        row = f"({self._marks(len(columns))})"
        # Every name is a table's own; values go in as parameters.
        head = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES "  # noqa: S608
        tail = f" ON CONFLICT ({known_by}) DO NOTHING" if known_by else ""
        self._statements = {
            length: head + ", ".join([row] * length) + tail for length in _LENGTHS
        }

    def row(self, values: Mapping[str, object]) -> Row:
        """Return a row as the driver wants it."""
        made = [values[name] for name in self.columns]
        for place, convert in self._converted:
            made[place] = convert(made[place])
        return made

    def write(self, cursor: Cursor, rows: Sequence[Row]) -> int:
        """Insert the rows but for those that are known; the caller commits.

        Returns:
            How many were inserted.
        """
        done = inserted = 0
        for length, statement in self._statements.items():
            while len(rows) - done >= length:
                part = rows[done : done + length]
                cursor.execute(statement, tuple(chain.from_iterable(part)))
                inserted += cursor.rowcount
                done += length
        return inserted

    def ids_by(
        self, cursor: Cursor, column: str, values: Iterable[Any]
    ) -> dict[Any, int]:
        """Return the id of each row whose `column` has one of the values, by value."""
        wanted = list(values)
        # Few lengths again: asked for twice, the last value changes nothing.
        missing = (1 << max(len(wanted) - 1, 0).bit_length()) - len(wanted)
        wanted += wanted[-1:] * missing
        cursor.execute(
            f"SELECT {column}, id FROM {self._table}"  # noqa: S608 - names, as above
            f" WHERE {column} IN ({self._marks(len(wanted))})",
            wanted,
        )
        return dict(cursor.fetchall())

    def _marks(self, number: int) -> str:
        return ", ".join([self._mark] * number)
