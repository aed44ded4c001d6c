"""A database whose readers see the rows of some zoom apps only.

A table of the same name stands in front of each that belongs to a zoom app, in the
statement itself (`WITH webhook AS (SELECT ... WHERE zoom_app_id IN (...))`), so that no
query can forget it: docs/decisions/0026-five-roles.md says why.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Table, event
from sqlmodel import SQLModel

from dashboard.db.database import Database

_THROUGH = {
    "connection_id": "connection",
    "webhook_id": "webhook",
    "token_id": "api_token",
}
"""Tables without a zoom app belong to that of what they are of."""

_OTHERWISE = {
    "zoom_app": "t.id IN ({ids})",
    "workspace": (
        "EXISTS (SELECT 1 FROM {at}zoom_app AS a"
        " WHERE a.workspace_id = t.id AND a.id IN ({ids}))"
    ),
    "alert_message": (
        "EXISTS (SELECT 1 FROM {at}alert AS a"
        " WHERE a.id = t.alert_id AND a.zoom_app_id IN ({ids}))"
    ),
    "endpoint_delivery": (
        "EXISTS (SELECT 1 FROM {at}endpoint AS p"
        " WHERE p.id = t.endpoint_id AND p.zoom_app_id IN ({ids}))"
    ),
    "endpoint_attempt": (
        "EXISTS (SELECT 1 FROM {at}endpoint_delivery AS d"
        " JOIN {at}endpoint AS p ON p.id = d.endpoint_id"
        " WHERE d.id = t.delivery_id AND p.zoom_app_id IN ({ids}))"
    ),
    # A single webhook has no query; any other names its zoom app there, or is of all.
    "resend": (
        "(t.query = '' AND EXISTS (SELECT 1 FROM {at}redelivery AS r"
        " WHERE r.resend_id = t.id AND r.zoom_app_id IN ({ids}))) OR {named}"
    ),
}

NOTHING = "1 = 0"
OF_ALL = frozenset(
    {
        *("alert_channel", "alert_round"),
        *("audit_entry", "audit_head", "audit_key", "audit_seal", "audit_stream"),
        *("audit_tally", "authenticator", "passkey", "recovery_code", "spent_proof"),
        *("staff_identity", "staff_link", "domain_proof", "hold", "host_event"),
        *("rate_pause", "rate_slot", "setting_secret", "staff", "staff_session"),
        *("throttle", "vault_check", "worker_heartbeat"),
    }
)
"""Tables of the dashboard itself: nothing of one zoom app's users is in them."""


class LimitedDatabase(Database):
    """The same connections, files and turns as `whole`; its writers see everything.

    Whatever is written was chosen by an address or a form: web/limits.py rules these.
    """

    def __init__(self, whole: Database, zoom_apps: Iterable[UUID]) -> None:
        self._whole = whole
        self._reader = whole._reader.execution_options()  # noqa: SLF001 - its own base
        views = _views(sorted(zoom_apps), is_sqlite=whole.is_sqlite)
        word = re.compile(rf"\b({'|'.join(views)})\b")

        def narrow(
            _connection: object,
            _cursor: object,
            statement: str,
            parameters: object,
            *_more: object,
        ) -> tuple[str, object]:
            named = dict.fromkeys(word.findall(statement))
            found = ", ".join(views[name] for name in named)
            return _in_front(found, statement, is_sqlite=whole.is_sqlite), parameters

        event.listen(self._reader, "before_cursor_execute", narrow, retval=True)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it is there
        """Have everything else of the whole database."""
        return getattr(self._whole, name)

    def lock(self) -> None:
        """Lock the file for the process, as the whole database does."""
        self._whole.lock()

    def _require_same_file(self) -> None:
        self._whole._require_same_file()  # noqa: SLF001 - as above


def condition(table: Table) -> str:
    """Return which rows of a table a limited reader sees; "" for all of them.

    Of a table that is not ruled here, that is none.
    """
    if table.name in OF_ALL:
        return ""
    if table.name in _OTHERWISE:
        return _OTHERWISE[table.name]
    if "zoom_app_id" in table.c:
        return "t.zoom_app_id IN ({ids})"
    for column, parent in _THROUGH.items():
        if column in table.c:
            return (
                f"EXISTS (SELECT 1 FROM {{at}}{parent} AS p"  # noqa: S608 - our own names
                f" WHERE p.id = t.{column} AND p.zoom_app_id IN ({{ids}}))"
            )
    return NOTHING


def _views(zoom_apps: Iterable[UUID], *, is_sqlite: bool) -> Mapping[str, str]:
    """Return what stands in front of each table; the IDs are numbers, not texts."""
    if is_sqlite:
        at, find = "main.", "instr(t.query, 'zoom_app={}') > 0"
        ids = ", ".join(f"'{one.hex}'" for one in zoom_apps)
    else:
        at, find = "", "strpos(t.query, 'zoom_app={}') > 0"
        ids = ", ".join(f"'{one}'::uuid" for one in zoom_apps)
    named = " OR ".join(find.format(one) for one in zoom_apps) or NOTHING
    return {
        table.name: f"{table.name} AS NOT MATERIALIZED (SELECT * FROM {at}{table.name}"  # noqa: S608 - names of ours, and IDs as numbers
        f" AS t WHERE {rows.format(at=at, ids=ids or 'NULL', named=named)})"
        for table in SQLModel.metadata.tables.values()
        if (rows := condition(table))
    }


def _in_front(views: str, statement: str, *, is_sqlite: bool) -> str:
    begins = statement.lstrip()
    if not views or not begins.startswith(("SELECT", "WITH")):
        return statement
    if begins.startswith("SELECT"):
        return f"WITH {views} {begins}"
    if not is_sqlite:  # beside a WITH RECURSIVE a view would name itself
        return f"WITH {views} SELECT * FROM ({begins}) AS narrowed"  # noqa: S608 - as above
    first = "WITH RECURSIVE" if begins.startswith("WITH RECURSIVE") else "WITH"
    return f"{first} {views}, {begins.removeprefix(first)}"
