"""Column types that behave alike on SQLite and PostgreSQL."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, DateTime, Dialect, Enum, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

BigId = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit whole number; SQLite's own INTEGER has 64 bits."""

LARGEST_ID = 2**63 - 1
"""The largest number such a column takes."""


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: refuses naive values and gives UTC back on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Store UTC.

        Raises:
            ValueError: The value has no zone.
        """
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a zone")
        return value.astimezone(UTC)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Give UTC back."""
        del dialect
        if value is None:
            return None
        # SQLite drops the zone; what was stored there was UTC.
        return (
            value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        )


def is_storable(text: str) -> bool:
    """Whether every database takes the text: no NUL, no half of a surrogate pair."""
    return _UNSTORABLE.search(text) is None


def storable(text: str) -> str:
    """Return the text with U+FFFD for each character that no database takes."""
    return _UNSTORABLE.sub("\ufffd", text)


def enum_type(
    kind: type[StrEnum], *, is_checked: bool = True, name: str | None = None
) -> Enum:
    """Return a type that stores the values of `kind`, checked by the database.

    Args:
        kind: Its values are stored.
        is_checked: Whether the database checks too: a column that was added later
            cannot on SQLite without copying a table that others refer to.
        name: Of the constraint, where the class was renamed since; else the class's.
    """
    return Enum(
        kind,
        values_callable=lambda members: [member.value for member in members],
        native_enum=False,
        create_constraint=is_checked,
        length=32,
        name=name or kind.__name__.lower(),
    )


class Unindexed(ColumnElement[Any]):
    """A column in a condition that SQLite is not to look up in an index.

    It knows no numbers of its tables, so it takes any equality for rare: then it sorts
    what it found instead of walking an index that is in order already. Its unary plus
    is the documented way to say so (https://www.sqlite.org/optoverview.html, 2;
    checked 2026-11-25). PostgreSQL keeps statistics and needs no hint.
    """

    inherit_cache = True
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - SQLAlchemy's own

    def __init__(self, column: Any) -> None:  # noqa: ANN401 - a column of SQLModel
        self.column = column
        self.type = column.type


@compiles(Unindexed)
def _as_it_is(element: Unindexed, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's own
    return compiler.process(element.column, **options)


@compiles(Unindexed, "sqlite")
def _with_a_plus(element: Unindexed, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - as above
    return f"+{compiler.process(element.column, **options)}"
