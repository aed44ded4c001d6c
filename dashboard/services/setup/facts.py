"""Gathers what the ticks of a set-up are judged by, in a few looks at indexes."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from dashboard.models.check import Finding
from dashboard.models.connection import Connection, SyncStatus, TokenState
from dashboard.models.watch import Milestone
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.setup import first_seen
from dashboard.services.setup.rules import Facts
from dashboard.services.setup.scope_rules import ScopeFacts
from dashboard.services.setup.steps import StepKey, listed
from dashboard.services.validation import evidence
from dashboard.services.validation.states import Evidence


def gather(session: Session, app: ZoomApp, seen: Evidence, *, now: datetime) -> Facts:
    """Return the facts: first sightings as they are stored, else as they can be seen.

    Args:
        session: Reading.
        app: Of which.
        seen: `validation.evidence` of it.
        now: Aware.
    """
    milestones = stored(session, app.id)
    missing = set(listed(app.routing)) - milestones.keys()
    found = first_seen.find(session, app, missing)
    milestones |= found
    people = _people(session, milestones)
    granting = _granting(session, app, milestones, people)
    is_all = not missing - found.keys()
    api = seen.recall_api
    return Facts(
        zoom_app=app,
        zoom_status=evidence.zoom_status(seen, now),
        recall_status=evidence.recall_status(seen, now),
        milestones=milestones,
        people=people,
        is_gone=api is not None and api.finding is Finding.GONE,
        # With all ticks there is nothing left to do with a user.
        user=None if is_all else _user(session, app, milestones, people, granting),
        granting=granting,
    )


def stored(session: Session, app_id: UUID) -> dict[StepKey, Milestone]:
    """Return the first sightings that are kept, however old."""
    query = select(Milestone).where(col(Milestone.zoom_app_id) == app_id)
    known = {key.value: key for key in StepKey}
    return {known[row.key]: row for row in session.exec(query) if row.key in known}


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
    # They are few among all; `coalesce` keeps SQLite from reading all of the app's by
    # the other index.
    its_app = func.coalesce(col(Connection.zoom_app_id), col(Connection.zoom_app_id))
    query = (
        select(Connection)
        .where(
            its_app == app_id,
            col(Connection.token_state) == TokenState.MISSING_SCOPES,
        )
        .order_by(col(Connection.token_checked_at).desc(), col(Connection.id))
    )
    return session.exec(query.limit(1)).first()


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
