"""Many rows in one statement, handed over as the driver wants them.

With `executemany` SQLite's driver gives the interpreter's lock away for each row and
queues for it behind every busy thread; here that happens once a statement. And each
row is made ready by the thread that has it, so that the writer only writes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from sqlalchemy import Connection, Dialect, Table

_LARGEST = 64

Row = list[object]
"""A value a column, in the order of `Inserts.columns`; may change until written."""


class Inserts:
    """INSERT statements of one table, made once; thread-safe.

    Args:
        table: Columns that are not among `columns` get the database's default or NULL.
        columns: Names, in the order of the rows.
        dialect: Of the database that is written to.
    """

    def __init__(self, table: Table, columns: Sequence[str], dialect: Dialect) -> None:
        self.columns = tuple(columns)
        found = [table.c[name].type.dialect_impl(dialect) for name in columns]
        processors = [kind.bind_processor(dialect) for kind in found]
        self._converted = [
            (place, convert) for place, convert in enumerate(processors) if convert
        ]
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        row = f"({', '.join([mark] * len(columns))})"
        # Every name is a table's own; values go in as parameters.
        head = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES "  # noqa: S608
        # Few lengths, so that drivers meet statements they have prepared already.
        self._statements: dict[int, str] = {}
        length = _LARGEST
        while length:
            self._statements[length] = head + ", ".join([row] * length)
            length //= 2

    def row(self, values: Mapping[str, object]) -> Row:
        """Return a row as the driver wants it."""
        made = [values[name] for name in self.columns]
        for place, convert in self._converted:
            made[place] = convert(made[place])
        return made

    def write(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert the rows; the caller commits."""
        for part in self._parts(rows):
            values = tuple(chain.from_iterable(part))
            connection.exec_driver_sql(self._statements[len(part)], values)

    def _parts(self, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
        done = 0
        for length in self._statements:
            while len(rows) - done >= length:
                yield rows[done : done + length]
                done += length


def padded(values: Iterable[object]) -> list[object]:
    """Return the values, the last repeated up to a power of two, for `IN (...)`.

    Few lengths again, and a value that is asked for twice changes nothing.
    """
    found = list(values)
    wanted = 1 << max(len(found) - 1, 0).bit_length()
    return found + found[-1:] * (wanted - len(found))
