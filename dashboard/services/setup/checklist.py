"""The set-up that ticks itself: one account of it, for every page and command.

What was seen first is stored, so that a tick outlives the webhooks that made it; until
it is stored it is read from what is there, so that a page turns at once.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, and_, col, func, or_, select

from dashboard.models.watch import Milestone
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services.runtime import Runtime
from dashboard.services.setup import facts, first_seen
from dashboard.services.setup.first_seen import meeting_mapped, milestone, scopes_proved
from dashboard.services.setup.rules import steps
from dashboard.services.setup.steps import Checklist, SetupStep, StepKey, Target, listed
from dashboard.services.validation.states import Evidence

__all__ = [
    "Checklist",
    "SetupStep",
    "StepKey",
    "Target",
    "is_missing",
    "load",
    "meeting_mapped",
    "milestone",
    "record_new",
    "scopes_proved",
    "store",
]

_TABLE = SQLModel.metadata.tables[str(Milestone.__tablename__)]


def load(session: Session, app: ZoomApp, seen: Evidence, *, now: datetime) -> Checklist:
    """Return how far the set-up of a zoom app is.

    Args:
        session: Reading.
        app: Of which.
        seen: `validation.evidence` of it.
        now: Aware.
    """
    return Checklist(steps=steps(facts.gather(session, app, seen, now=now)))


def record_new(runtime: Runtime) -> int:
    """Store the first sightings that are not stored yet; return how many; commits.

    For the worker, about once a second: where nothing is missing it is one look at the
    zoom apps. Twice at once does no harm.
    """
    found: list[Milestone] = []
    with runtime.database.reading() as session:
        for app in _incomplete(session):
            known = facts.stored(session, app.id)
            missing = set(listed(app.routing)) - known.keys()
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
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = sqlite.insert if is_sqlite else postgresql.insert
    added = 0
    for one in sightings:
        # `RETURNING` tells on both databases; a count of rows does not.
        statement = insert(_TABLE).values(**one.model_dump()).on_conflict_do_nothing()
        added += len(
            session.connection().execute(statement.returning(_TABLE.c.key)).all()
        )
    return added


def is_missing(session: Session, app_id: UUID, key: StepKey) -> bool:
    """Whether this was never seen of the zoom app, as far as it is stored."""
    return session.get(Milestone, (app_id, key.value)) is None


def _incomplete(session: Session) -> list[ZoomApp]:
    """Return the apps in use of which something listed is not stored."""
    lacks = [
        and_(
            col(ZoomApp.routing) == routing,
            func.count(col(Milestone.key)).filter(col(Milestone.key).in_(keys))
            < len(keys),
        )
        for routing in Routing
        if (keys := [key.value for key in listed(routing)])
    ]
    query = (
        select(ZoomApp.id)
        .outerjoin(Milestone, col(Milestone.zoom_app_id) == col(ZoomApp.id))
        .where(col(ZoomApp.retired_at).is_(None))
        .group_by(col(ZoomApp.id), col(ZoomApp.routing))
        .having(or_(*lacks))
    )
    ids = session.exec(query).all()
    if not ids:
        return []
    return list(session.exec(select(ZoomApp).where(col(ZoomApp.id).in_(ids))).all())
