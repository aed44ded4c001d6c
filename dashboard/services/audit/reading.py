"""The audit log as it is read: filtered, in pages, with where each subject is."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from dashboard.db import Database
from dashboard.db.columns import LARGEST_ID
from dashboard.models.audit import AuditEntry
from dashboard.models.connection import Connection
from dashboard.models.ids import first_id
from dashboard.models.resend import Resend
from dashboard.models.staff import Staff
from dashboard.models.webhook import Webhook
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.paging import IdPage, Place, page_by_id

_BATCH = 500
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What to list; empty fields filter nothing.

    Attributes:
        who: Part of the actor's name.
        act: How the act begins.
        subject: Part of the subject.
    """

    who: str = ""
    act: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None


def page(session: Session, filters: Filters, place: Place) -> IdPage[AuditEntry]:
    """Return a page of the entries, newest first."""
    return page_by_id(session, _query(filters), AuditEntry.id, place)


def everything(database: Database, filters: Filters) -> Iterator[AuditEntry]:
    """Yield all that match, newest first; no transaction is open between batches."""
    before: int | None = None
    while True:
        with database.reading() as session:
            found = page(session, filters, Place(before=before, limit=_BATCH))
        yield from found.rows
        before = found.older_before
        if before is None:
            return


def _query(filters: Filters) -> SelectOfScalar[AuditEntry]:
    query = select(AuditEntry)
    if filters.who:
        query = query.where(
            col(AuditEntry.actor).icontains(filters.who, autoescape=True)
        )
    if filters.act:
        query = query.where(
            col(AuditEntry.act).startswith(filters.act, autoescape=True)
        )
    if filters.subject:
        query = query.where(
            col(AuditEntry.subject).icontains(filters.subject, autoescape=True)
        )
    if filters.since is not None:
        query = query.where(col(AuditEntry.id) >= first_id(filters.since))
    if filters.until is not None:
        query = query.where(col(AuditEntry.id) < first_id(filters.until))
    return query


@dataclass(frozen=True, kw_only=True)
class Target:
    """What an entry is about, while it exists.

    Attributes:
        kind: Noun of the act, as "zoom_app".
        key: Its ID.
    """

    kind: str
    key: UUID | int


_BY_UUID: Mapping[str, type[SQLModel]] = {
    "connection": Connection,
    "zoom_app": ZoomApp,
}
_BY_NUMBER: Mapping[str, type[SQLModel]] = {"webhook": Webhook, "resend": Resend}
_OF_APP = frozenset(
    {"zoom_app", "subscription", "delivery_log", "own_server", "bot", "token"}
)


def targets(session: Session, entries: Sequence[AuditEntry]) -> Mapping[int, Target]:
    """Return what the entries are about, by the entry's ID, where it still exists."""
    named = dict(_named(session))
    wanted: dict[int, list[Target]] = {}
    for entry in entries:
        wanted[entry.id] = list(_candidates(entry, named))
    there = _existing(session, [each for found in wanted.values() for each in found])
    return {
        entry_id: next(each for each in found if each in there)
        for entry_id, found in wanted.items()
        if any(each in there for each in found)
    }


def _candidates(entry: AuditEntry, named: Mapping[str, Target]) -> Iterator[Target]:
    kind = entry.act.partition(".")[0]
    kind = "zoom_app" if kind in _OF_APP else kind
    if kind in _BY_UUID:
        for text in _UUID.findall(entry.subject):
            yield Target(kind=kind, key=UUID(text))
    number = _NUMBER.match(entry.subject)
    if kind in _BY_NUMBER and number and int(number[0]) <= LARGEST_ID:
        yield Target(kind=kind, key=int(number[0]))
    for name, target in named.items():
        if target.kind == kind and name in entry.subject:
            yield target


def _named(session: Session) -> Iterator[tuple[str, Target]]:
    """Yield what subjects name by its name: there are few of each."""
    for staff_id, email in session.exec(select(Staff.id, Staff.email)):
        yield email, Target(kind="staff", key=staff_id)
    for app in session.exec(select(ZoomApp)):
        full = f"{app.name} ({app.environment.value})"
        yield full, Target(kind="zoom_app", key=app.id)
    for row_id, name in session.exec(select(Workspace.id, Workspace.name)):
        yield name, Target(kind="workspace", key=row_id)


def _existing(session: Session, wanted: Sequence[Target]) -> frozenset[Target]:
    there = {each for each in wanted if each.kind in ("staff", "workspace")}
    for kind, model in {**_BY_UUID, **_BY_NUMBER}.items():
        keys = {each.key for each in wanted if each.kind == kind}
        if keys:
            key: Any = model.__table__.c.id  # type: ignore[attr-defined]  # SQLAlchemy's own
            for found in session.exec(select(key).where(key.in_(keys))):
                there.add(Target(kind=kind, key=found))
    return frozenset(there)
