"""Holds: writing down what attempts say, taking probes, and ending a hold by hand.

The rule is in services/relay/hold_rules.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Row,
    Select,
    and_,
    delete,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col

from dashboard.db import announce
from dashboard.db.columns import UtcDateTime
from dashboard.models.hold import Hold, HoldKind
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.relay.answers import Sign
from dashboard.services.relay.deliveries import Result
from dashboard.services.relay.hold_rules import Standing, after
from dashboard.services.relay.queues import REDELIVERY, WEBHOOK, is_waiting

_HOLD = SQLModel.metadata.tables[str(Hold.__tablename__)]


@dataclass(frozen=True, kw_only=True)
class Still:
    """What stands still.

    Attributes:
        waiting: Webhooks and resends, counted up to the caller's bound.
    """

    standing: Standing
    waiting: int


def note(session: Session, results: Sequence[Result], *, now: datetime) -> None:
    """Write down what attempts say of workspaces and zoom apps; the caller commits.

    Where a hold ends after a probe had failed, what waits is due at once.
    """
    kinds: dict[UUID, HoldKind] = {}
    for each in results:
        kinds[each.delivery.workspace_id] = HoldKind.WORKSPACE
        kinds[each.delivery.zoom_app_id] = HoldKind.ZOOM_APP
    _begin(session, results, now)
    before = _standings(session, kinds)
    after_all = dict(before)
    for each in sorted(results, key=lambda result: result.ended_at):
        for its_id in (each.delivery.workspace_id, each.delivery.zoom_app_id):
            stands = after(after_all.get(its_id), each, kind=kinds[its_id], now=now)
            if stands is None:
                after_all.pop(its_id, None)
            else:
                after_all[its_id] = stands
    for its_id in sorted(before):
        _keep(session, before[its_id], after_all.get(its_id), now=now)


def claim_probes(
    session: Session, ids: Iterable[UUID], *, until: datetime, now: datetime
) -> bool:
    """Take the next probe of each of these holds; the caller commits.

    Args:
        session: Writing.
        ids: Of holds that seemed to be due a probe.
        until: When the lease ends: a dead worker's probe is free then.
        now: Aware.

    Returns:
        Whether all of them were free; else nothing is changed.
    """
    ids = sorted(ids)
    due = and_(_HOLD.c.id.in_(ids), _HOLD.c.is_holding, _HOLD.c.probe_at <= now)
    free = (
        session.connection()
        .execute(
            select(_HOLD.c.id)
            .where(due)
            .order_by(_HOLD.c.id)
            .with_for_update(skip_locked=True)
        )
        .all()
    )
    if len(free) < len(ids):
        return False
    session.connection().execute(
        update(_HOLD)
        .where(_HOLD.c.id.in_(ids))
        .values(probe_at=until, probes=_HOLD.c.probes + 1)
    )
    return True


def mended(
    session: Session,
    *,
    now: datetime,
    zoom_app_id: UUID | None = None,
    workspace_id: UUID | None = None,
) -> None:
    """Probe at once what a person may have mended; the caller commits.

    Args:
        session: Writing.
        now: Aware.
        zoom_app_id: The zoom app whose secret token or Recall record changed.
        workspace_id: The workspace that changed.
    """
    its_id = zoom_app_id or workspace_id
    found = session.connection().execute(
        update(_HOLD)
        .where(_HOLD.c.id == its_id, _HOLD.c.is_holding)
        .values(probe_at=now, probes=0)
    )
    if its_id is not None and found.rowcount:
        hasten(session, its_id, now=now)
        announce(session.connection())


def hasten(session: Session, its_id: UUID, *, now: datetime) -> None:
    """Make due what waits there for another try, oldest first; the caller commits.

    What is leased stays.

    Args:
        session: Writing.
        its_id: Of the zoom app, or of the workspace.
        now: Aware.
    """
    apps = _apps(its_id)
    for table, due_at in (
        (WEBHOOK, WEBHOOK.c.received_at),
        (REDELIVERY, literal(now, UtcDateTime)),
    ):
        behind = (
            select(table.c.id)
            .where(
                is_waiting(table),
                table.c.zoom_app_id.in_(apps),
                table.c.due_at > now,
                table.c.lease_until.is_(None),
            )
            .with_for_update(skip_locked=True)
        )
        session.connection().execute(
            update(table).where(table.c.id.in_(behind)).values(due_at=due_at)
        )


def list_still(session: Session, *, at_most: int) -> list[Still]:
    """Return what stands still with something waiting, the longest first.

    Args:
        session: Reading.
        at_most: So many are counted of what waits.
    """
    query = select(_HOLD).where(_HOLD.c.is_holding).order_by(_HOLD.c.since)
    found = [
        Still(standing=_standing(row), waiting=_waiting(session, row.id, at_most))
        for row in session.connection().execute(query).all()
    ]
    return [still for still in found if still.waiting]


def _begin(session: Session, results: Sequence[Result], now: datetime) -> None:
    """Make the rows that may be needed, so that two workers count in the same one."""
    rows: dict[UUID, HoldKind] = {}
    for each in results:
        sign, is_first = each.judged.workspace, each.delivery.attempts == 0
        if sign is Sign.STOP or (sign is Sign.DOWN and is_first):
            rows[each.delivery.workspace_id] = HoldKind.WORKSPACE
        if each.judged.zoom_app is Sign.STOP:
            rows[each.delivery.zoom_app_id] = HoldKind.ZOOM_APP
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = sqlite.insert if is_sqlite else postgresql.insert
    for its_id, kind in sorted(rows.items()):
        fresh = Standing(id=its_id, kind=kind, since=now, probe_at=now)
        session.connection().execute(
            insert(_HOLD).values(**asdict(fresh)).on_conflict_do_nothing()
        )


def _standings(session: Session, ids: Iterable[UUID]) -> dict[UUID, Standing]:
    """Return what there is of these, locked, in the order of ids."""
    query = (
        select(_HOLD).where(_HOLD.c.id.in_(ids)).order_by(_HOLD.c.id).with_for_update()
    )
    rows = session.connection().execute(query)
    return {row.id: _standing(row) for row in rows}


def _keep(
    session: Session, before: Standing, stands: Standing | None, *, now: datetime
) -> None:
    this = _HOLD.c.id == before.id
    if stands is None:
        session.connection().execute(delete(_HOLD).where(this))
        if before.is_holding and before.probes > 1:
            hasten(session, before.id, now=now)
    elif stands != before:
        values = asdict(stands)
        session.connection().execute(update(_HOLD).where(this).values(**values))


def _waiting(session: Session, its_id: UUID, at_most: int) -> int:
    some = union_all(
        *(
            select(queue.c.id.label("id"))
            .where(is_waiting(queue), queue.c.zoom_app_id.in_(_apps(its_id)))
            .limit(at_most)
            .subquery()
            .select()
            for queue in (WEBHOOK, REDELIVERY)
        )
    ).subquery()
    counted = session.connection().execute(select(func.count()).select_from(some))
    return min(counted.scalar_one(), at_most)


def _apps(its_id: UUID) -> Select[Any]:
    """Return the zoom app of this id, or the zoom apps of this workspace."""
    return select(col(ZoomApp.id)).where(
        or_(col(ZoomApp.id) == its_id, col(ZoomApp.workspace_id) == its_id)
    )


def _standing(row: Row[Any]) -> Standing:
    return Standing(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
