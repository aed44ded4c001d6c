"""The set-up checklist, done by evidence: one account of it for every page and command.

Milestones are stored, so that a step outlives the webhooks that proved it. Until one is
stored it is read from the rows themselves, so that a page is up to date at once.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, func, or_, select

from dashboard.db import Database
from dashboard.db.statements import insert
from dashboard.models.connection import Connection, SyncStatus, TokenState
from dashboard.models.watch import Milestone
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import Routing, TokenCustody, ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.facts.acting import Problem
from dashboard.services.facts.connections import cause_of
from dashboard.services.facts.zoom_apps import to_recall
from dashboard.services.runtime import Runtime
from dashboard.services.setup import first_seen
from dashboard.services.setup.steps import (
    Checklist,
    Facts,
    ScopeFacts,
    StepKey,
    list_steps,
    listed,
)
from dashboard.services.validation import evidence
from dashboard.services.validation.states import Evidence
from dashboard.services.zoom_apps import apps

_EVENTS_SAID = "events_said"
"""Key of an admin's word; no step is done by it."""


def gather(session: Session, app: ZoomApp, seen: Evidence, *, now: datetime) -> Facts:
    """Return the facts: first sightings as they are stored, else as they can be seen.

    Args:
        session: Reading.
        app: Of which.
        seen: `validation.evidence` of it.
        now: Aware.
    """
    milestones, people = _stored(session, app.id)
    missing = set(listed(app.routing, app.token_custody)) - milestones.keys()
    found = first_seen.find(session, app, missing)
    milestones |= found
    people |= _people(session, found)
    granting = _granting(session, app, milestones, people)
    is_all = not missing - found.keys()
    workspace = session.get(Workspace, app.workspace_id) if app.workspace_id else None
    said = session.get(Milestone, (app.id, _EVENTS_SAID))
    recall_status = evidence.recall_status(seen, now)
    there = to_recall(recall_status, app.routing).problem
    is_gone = there is Problem.GONE_FROM_RECALL
    return Facts(
        zoom_app=app,
        now=now,
        restored_at=seen.restored_at,
        zoom_status=evidence.zoom_status(seen, now),
        recall_status=recall_status,
        milestones=milestones,
        people=people,
        # With all ticks there is nothing left to do with a user.
        user=None if is_all else _user(session, app, milestones, people, granting),
        granting=granting,
        has_event=_has_event(session, app, milestones),
        events_said_at=None if said is None else said.at,
        cause=cause_of(app, workspace, is_gone=is_gone),
    )


def _has_event(
    session: Session, app: ZoomApp, milestones: Mapping[StepKey, Milestone]
) -> bool:
    """Whether an event arrived, which the subscription by API does not prove."""
    if StepKey.DELIVERY in milestones:
        return True
    proved = milestones.get(StepKey.EVENT)
    if proved is None:
        return False
    return (
        proved.webhook_id is not None
        or first_seen.first_event(session, app) is not None
    )


def stored(session: Session, app_id: UUID) -> dict[StepKey, Milestone]:
    """Return the first sightings that are kept, however old."""
    return _stored(session, app_id)[0]


def _stored(
    session: Session, app_id: UUID
) -> tuple[dict[StepKey, Milestone], dict[UUID, Connection]]:
    """Return them, and the connections that they are about."""
    query = (
        select(Milestone, Connection)
        .outerjoin(Connection, col(Connection.id) == col(Milestone.connection_id))
        .where(col(Milestone.zoom_app_id) == app_id)
    )
    rows = session.exec(query).all()
    known = {key.value: key for key in StepKey}
    people = {row.id: row for _, row in rows if row is not None}
    return {known[row.key]: row for row, _ in rows if row.key in known}, people


def _people(
    session: Session, milestones: Mapping[StepKey, Milestone]
) -> dict[UUID, Connection]:
    ids = {one.connection_id for one in milestones.values() if one.connection_id}
    if not ids:
        return {}
    query = select(Connection).where(col(Connection.id).in_(ids))
    return {row.id: row for row in session.exec(query)}


def _granting(
    session: Session,
    app: ZoomApp,
    milestones: Mapping[StepKey, Milestone],
    people: Mapping[UUID, Connection],
) -> ScopeFacts:
    prover = milestones.get(StepKey.SCOPES)
    its_id = prover.connection_id if prover else None
    lacking = people.get(its_id) if its_id else None
    if lacking is None or lacking.token_state is not TokenState.MISSING_SCOPES:
        lacking = _lacking(session, app.id)
    working = None
    if prover is None or lacking is not None:
        working = _one(
            session,
            app.id,
            col(Connection.token_state) == TokenState.HEALTHY,
            col(Connection.sync_status) == SyncStatus.COMPLETED,
        )
    return ScopeFacts(
        lacking=lacking,
        working=working,
        granted=next(first_seen.known_scopes(session, app), None),
    )


def _lacking(session: Session, app_id: UUID) -> Connection | None:
    of_app = (
        col(Connection.zoom_app_id) == app_id,
        col(Connection.token_state) == TokenState.MISSING_SCOPES,
    )
    # Many may lack scopes: the index has the time, and one row is read.
    checked = col(Connection.token_checked_at)
    newest = select(func.max(checked)).where(*of_app).scalar_subquery()
    query = select(Connection).where(*of_app, checked == newest)
    return session.exec(query.order_by(col(Connection.id)).limit(1)).first()


def _user(
    session: Session,
    app: ZoomApp,
    milestones: Mapping[StepKey, Milestone],
    people: Mapping[UUID, Connection],
    granting: ScopeFacts,
) -> Connection | None:
    first = milestones.get(StepKey.USER)
    its_id = first.connection_id if first else None
    known = granting.working or (people.get(its_id) if its_id else None)
    return known or _one(session, app.id)


def _one(
    session: Session, app_id: UUID, *which: ColumnElement[bool]
) -> Connection | None:
    """Return one such connection; which one says nothing, so no order is asked for."""
    query = select(Connection).where(col(Connection.zoom_app_id) == app_id, *which)
    return session.exec(query.limit(1)).first()


def load(session: Session, app: ZoomApp, seen: Evidence, *, now: datetime) -> Checklist:
    """Return how far the set-up of a zoom app is.

    Args:
        session: Reading.
        app: Of which.
        seen: `validation.evidence` of it.
        now: Aware.
    """
    return Checklist(steps=list_steps(gather(session, app, seen, now=now)))


def record_new(runtime: Runtime) -> int:
    """Store the first sightings that are not stored yet; return how many; commits.

    For the worker, about once a second: where nothing is missing it is one look at the
    zoom apps. Twice at once does no harm.
    """
    found: list[Milestone] = []
    with runtime.database.reading() as session:
        for app in _incomplete(session):
            known = stored(session, app.id)
            missing = set(listed(app.routing, app.token_custody)) - known.keys()
            found += first_seen.find(session, app, missing).values()
    if not found:
        return 0
    with runtime.database.writing() as session:
        return store(session, found)


def store(session: Session, sightings: Iterable[Milestone]) -> int:
    """Store first sightings unless there is one already; the caller commits.

    Returns:
        How many were new.
    """
    added = 0
    for one in sightings:
        # `RETURNING` tells on both databases; a count of rows does not.
        statement = (
            insert(session, Milestone)
            .values(**one.model_dump())
            .on_conflict_do_nothing()
        )
        added += len(
            session.connection().execute(statement.returning(col(Milestone.key))).all()
        )
    return added


def say_events_added(
    database: Database, zoom_app_id: UUID, *, actor: Actor, now: datetime
) -> None:
    """Store an admin's word that both events are added in Zoom; commits.

    It is shown as such and completes nothing. The first word stays.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    word = Milestone(zoom_app_id=zoom_app_id, key=_EVENTS_SAID, at=now, proof="")
    with database.writing() as session:
        subject = apps.full_name(apps.get(session, zoom_app_id))
        if store(session, [word]):
            what = "zoom_app.events_said"
            audit.record(session, actor, what, subject=subject, now=now)


def is_missing(session: Session, app_id: UUID, key: StepKey) -> bool:
    """Whether this was never seen of the zoom app, as far as it is stored."""
    return session.get(Milestone, (app_id, key.value)) is None


def _incomplete(session: Session) -> list[ZoomApp]:
    """Return the apps in use of which something listed is not stored."""
    lacks = [
        and_(
            col(ZoomApp.routing) == routing,
            col(ZoomApp.token_custody) == custody,
            func.count(col(Milestone.key)).filter(col(Milestone.key).in_(keys))
            < len(keys),
        )
        for routing in Routing
        for custody in TokenCustody
        if (keys := [key.value for key in listed(routing, custody)])
    ]
    query = (
        select(ZoomApp.id)
        .outerjoin(Milestone, col(Milestone.zoom_app_id) == col(ZoomApp.id))
        .where(col(ZoomApp.retired_at).is_(None))
        .group_by(col(ZoomApp.id), col(ZoomApp.routing), col(ZoomApp.token_custody))
        .having(or_(*lacks))
    )
    ids = session.exec(query).all()
    if not ids:
        return []
    return list(session.exec(select(ZoomApp).where(col(ZoomApp.id).in_(ids))).all())
