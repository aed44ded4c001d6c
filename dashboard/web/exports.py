"""A table as CSV or JSON, streamed: rows are written as they come; audited."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from itertools import islice

from flask import Response, request
from structlog import get_logger

from dashboard.errors import StorageError
from dashboard.services import audit
from dashboard.web.context import actor, now, runtime

Row = Mapping[str, object]

_log = get_logger(__name__)

_INCOMPLETE = (
    "This export is incomplete: the database became unavailable. Download it again."
)
# What begins a formula, also in the wide, small, raised and lowered forms that a
# spreadsheet takes for the same.
_BEGINS = (
    r"=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\ufb29"
    r"\u207a-\u207c\u208a-\u208c\u2212"
)
# Of no account before it: blanks, quotes and invisible characters.
_BLANK = r"\s\x00-\x1f\"'\u200b-\u200f\u2060\ufeff"
_FORMULA = re.compile(
    rf"(?:(^|[,;|])|(?<![{_BLANK}]))([{_BLANK}]*)([{_BEGINS}]+)",
)
_NEXT_CELL = frozenset("\t\r\n")
_STARTS = ("\t", "\r")


FORMATS = ("csv", "json")


def is_asked() -> bool:
    """Whether a list is asked for as a file: such views declare `fresh=is_asked`."""
    return request.args.get("format") in FORMATS


def respond(
    kind: str,
    name: str,
    columns: Iterable[str],
    rows: Iterable[Row],
    *,
    file_name: str | None = None,
) -> Response:
    """Answer with a list as one of `FORMATS`; the audit log has it before the data.

    Two entries: that it began, with the filter, and how many rows were sent.

    Args:
        kind: Of `FORMATS`.
        name: Of the list: its act is `<name>.exported`.
        columns: Of the rows.
        rows: Read as they are sent.
        file_name: Of a CSV file, where it is another.
    """
    asked = request.query_string.decode(errors="replace")
    counted = _audited(name, asked, rows)
    if kind == "csv":
        return csv_file(file_name or name, columns, counted)
    return json_list(name, columns, counted)


def _audited(name: str, asked: str, rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows; record who asked, and at the end how many there were."""
    who, clock, database = actor(), runtime().clock, runtime().database
    with database.writing() as session:
        audit.record(
            session, who, f"{name}.export_begun", subject=f"filter {asked}", now=now()
        )

    def counted() -> Iterator[Row]:
        number, ending = 0, "broken off"
        try:
            for row in rows:
                number += 1
                yield row
            ending = "complete"
        finally:
            subject = f"{number} rows, {ending}, filter {asked}"
            try:
                with database.writing() as session:
                    act = f"{name}.exported"
                    audit.record(session, who, act, subject=subject, now=clock.now())
            except StorageError:
                _log.warning("audit.not_recorded", act=f"{name}.exported")

    return counted()


def csv_file(name: str, columns: Iterable[str], rows: Iterable[Row]) -> Response:
    """Answer with a CSV file; instants are ISO 8601 in UTC.

    A text that a spreadsheet would run as a formula gets an apostrophe before what
    begins the formula: names come from strangers.
    """
    response = Response(_begun(csv_lines(columns, rows)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def json_list(name: str, columns: Iterable[str], rows: Iterable[Row]) -> Response:
    """Answer with one JSON object that holds the list under `name`."""
    lines = _begun(_json(name, list(columns), rows))
    return Response(lines, mimetype="application/json")


def csv_lines(columns: Iterable[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a CSV file, the names of the columns first."""
    columns = list(columns)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    is_begun = False
    try:
        for row in rows:
            yield _taken(buffer)
            is_begun = True
            writer.writerow([_cell(row[column]) for column in columns])
    except StorageError:
        if not is_begun:
            raise  # an error page can still be sent
        writer.writerow([_INCOMPLETE])
    yield _taken(buffer)


def _begun(lines: Iterator[str]) -> Iterator[str]:
    """Read the first row now: an error of the database is an error page then."""
    first = [next(lines), *islice(lines, 1)]

    def all_of_them() -> Iterator[str]:
        yield from first
        yield from lines  # closed with this, when the browser goes away

    return all_of_them()


def _json(name: str, columns: list[str], rows: Iterable[Row]) -> Iterator[str]:
    yield f'{{"{name}":['
    between = ""
    try:
        for row in rows:
            plain = {column: _plain(row[column]) for column in columns}
            yield between + json.dumps(plain)
            between = ","
    except StorageError:
        if not between:
            raise  # as above
        yield f'],"error":{json.dumps(_INCOMPLETE)}}}'
    else:
        yield "]}"


def _cell(value: object) -> object:
    plain = _plain(value)
    if not isinstance(plain, str):
        return plain
    plain = _FORMULA.sub(_quoted, plain.replace("\0", ""))
    return f"'{plain}" if plain.startswith(_STARTS) else plain


def _quoted(match: re.Match[str]) -> str:
    """Put an apostrophe where a cell begins, by whatever mark cells are parted."""
    begins = match[1] is not None or not _NEXT_CELL.isdisjoint(match[2])
    return f"{match[1] or ''}{match[2]}'{match[3]}" if begins else match[0]


def _plain(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case datetime():
            return value.isoformat(timespec="seconds").replace("+00:00", "Z")
        case Enum():
            return value.value
        case _:
            return str(value)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
